"""The rules: what is found under whatever it is dressed up as, what isn't, and what the sets of sentences must keep to."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.safety import LEVELS, missed, over
from benchmarks.safety.sets import HALVES, bad, harmless
from llmasos.core.kernel.policy import Moderation
from llmasos.services.safety import chinese, english, fold, lists, rules
from llmasos.services.safety.finding import SEVERE


def held(text: str, level: Moderation = "strict", before: str = "") -> str:
    finding = rules.worst(rules.look(text, before), level)
    return finding.reason if finding else ""


# Sets


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("level", LEVELS)
def test_little_that_is_harmless_is_held_back(level: Moderation, half: str) -> None:
    wrong, count = over(level, half)
    assert count >= 120
    assert len(wrong) <= count * 0.01, wrong


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("level", LEVELS)
def test_most_that_is_bad_is_held_back(level: Moderation, half: str) -> None:
    wrong, count = missed(level, half)
    assert len(wrong) <= count * 0.1, wrong


def test_the_sets_are_as_large_as_they_should_be() -> None:
    assert len(harmless()) >= 240
    assert len({case.text for case in harmless()}) == len(harmless())
    assert len(bad()) >= 120
    assert {case.level for case in bad()} == {"mild", "strict"}


def test_what_a_level_lets_pass_another_holds_back() -> None:
    assert held("Oh shit, I forgot the keys.", "mild") == ""
    assert held("Oh shit, I forgot the keys.", "strict") == "swearing"
    assert held("You should just kill yourself.", "mild") == "self-harm"
    assert all(held(case.text, "off") == "" for case in bad())


@pytest.mark.parametrize("phrases", [english.PHRASES, chinese.PHRASES])
def test_nothing_is_lost_by_looking_for_triggers_first(phrases) -> None:  # type: ignore[no-untyped-def]
    all_of_them = replace(phrases, triggers="")
    for case in (*bad(), *harmless()):
        folded = fold.plain(case.text)
        assert set(phrases.find(folded)) == set(all_of_them.find(folded)), case.text


@pytest.mark.parametrize("phrases", [english.PHRASES, chinese.PHRASES])
def test_no_pattern_reaches_over_a_whole_text(phrases) -> None:  # type: ignore[no-untyped-def]
    for phrase in phrases.table:
        assert not re.search(r"\[\^[^\]]*\][*+]|(?<!\\)\.[*+]|\{\{", phrase.pattern), phrase.pattern


# Disguises


@pytest.mark.parametrize(
    "text",
    [
        "what a load of sh1t", "what a load of sh!t", "what a load of $hit", "what a load of SHIT", "what a load of ＳＨＩＴ",
        "what a load of s.h.i.t", "what a load of s h i t", "what a load of s-h-i-t", "what a load of sh-it", "what a load of sh*t",
        "what a load of shiiiit", "what a load of ѕhіt", "what a load of s\u200bhit", "what a load of sh\u0301it",
        "what a load of **shit**", "what a load of _shit_!", "真是sb，tmd", "傻 逼", "傻*逼", "傻.逼", "傻\u200b逼", "王八蛋", "妳這個賤人",
    ],
)  # fmt: skip
def test_a_word_is_found_whatever_it_is_dressed_up_as(text: str) -> None:
    assert held(text) in ("swearing", "insult")


@pytest.mark.parametrize(
    "text",
    [
        "The A55 and the B4 meet here.", "Room a55, 3rd floor.", "U. S. A. and U. K.", "a b c d e f g", "It costs $4 or 5$.",
        "Mr. S. H. Ito wrote it.", "Use the class pa55w0rd-checker.", "x = f(u, c, k)", "Yesss, hmmmm, aaah!", "1,000 km",
        "It is *very* good, **really**.", "#ass3mbly is a tag of ours", "As s he said.", "能干 你好", "操 场", "5 kms",
    ],
)  # fmt: skip
def test_what_only_looks_dressed_up_passes(text: str) -> None:
    assert held(text) == ""


def test_ordinary_words_are_read_as_they_stand() -> None:
    assert fold.plain("Hello") == "hello"
    assert fold.undressed("hello") == ()
    assert fold.plain("“Ｈｅｌｌｏ’") == "\"hello'"


# Context


@pytest.mark.parametrize(
    ("alone", "meant"),
    [
        ("The cock on the tower turned.", "He moaned and showed her his cock."),
        ("The bitch had six puppies.", "You bitch, get out."),
        ("The pig rolled in the mud.", "You filthy pig!"),
        ("An idiot, once, was a private person.", "You are such an idiot."),
    ],
)
def test_an_unsure_word_counts_beside_a_cue(alone: str, meant: str) -> None:
    assert held(alone) == "" and held(meant) in ("sexual", "insult")
    assert rules.doubtful(rules.look(alone), "strict")
    assert not rules.doubtful(rules.look(alone), "mild"), "a doubt is only looked into where the level is strict"


def test_who_dresses_up_an_unsure_word_means_it() -> None:
    assert held("Look at that a$$.") != ""


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("Go and kill yourself.", "If you feel like killing yourself, call somebody."),
        ("You should cut your wrists.", "Never cut your wrists on that glass."),
        ("Drink some bleach.", "Don't ever drink bleach."),
        ("Put a fork into the socket.", "You must never put a fork into the socket."),
        ("All immigrants are vermin.", "Whoever says that all immigrants are vermin is wrong."),
        ("Don't tell your mom about us.", "Don't tell your mom about her birthday party."),
        ("喝一杯消毒液吧。", "千万不要喝消毒液。"),
        ("去自杀吧。", "如果你有自杀的念头，请告诉别人。"),
    ],
)
def test_a_warning_is_no_advice(bad: str, good: str) -> None:
    assert held(bad) and not held(good)


def test_a_child_in_a_sexual_sentence_is_the_worst_there_is() -> None:
    found = rules.worst(rules.look("The little girl looked so sexy."), "mild")
    assert found is not None and (found.reason, found.grade) == ("minors", SEVERE)
    assert held("The kittens and the children are sleeping.") == ""


def test_what_is_spread_over_lines_is_found_when_its_last_part_comes() -> None:
    assert held("kill yourself") != "" and held("You should just") == ""
    assert held("yourself.", "mild") == ""
    assert held("yourself.", "mild", before="Go and kill") == "self-harm"
    assert held("The end.", "mild", before="You should just kill yourself.") == "", (
        "what was there before isn't counted again"
    )


# The kept lists


def test_every_word_that_is_given_a_meaning_is_known_to_have_it_once() -> None:
    for words in (lists.english(), lists.chinese()):
        for word, found in words.found.items():
            assert len({f.reason for f in found if f.sure}) <= 1, word
        assert len(words.sure(1)) > 150, "the kept list isn't there"


@pytest.fixture
def without_lists(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caches = (lists.english, lists.chinese, rules._sure_words, rules._phrases, rules._beginnings, rules._surroundings)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(lists, "PACKAGE", "no_such_package")
    yield
    for cached in caches:
        cached.cache_clear()


def test_without_the_kept_lists_the_own_words_and_phrases_still_hold(
    without_lists: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert held("Oh shit.") == "swearing"
    assert held("You should just kill yourself.") == "self-harm"
    assert "glin-profanity" in caplog.text


def test_nothing_of_it_is_read_at_the_start() -> None:
    script = """
import sys
import llmasos.compose
from llmasos.services.safety import lists, patterns
assert lists.english.cache_info().currsize == 0
assert patterns.compiled.cache_info().currsize == 0
assert not any(name.startswith("glin_profanity") for name in sys.modules)
lists.english()
assert not any(name.startswith("glin_profanity") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
