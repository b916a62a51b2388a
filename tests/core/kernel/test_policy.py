"""Policies: what wins, what is refused, and what a wrong file says."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import shipped
from llmasos.core.base.types import Effect
from llmasos.core.base.values import Named
from llmasos.core.kernel.policy import NO_RULE, Allowance, Policy, Rate, Rates, Rule
from llmasos.core.kernel.policy.file import _KEYS, examine

ALLOW = Rule("allow-all", "allow")
ASK = Rule("ask-writes", "ask", effect=("write",))
DENY = Rule("deny-notes", "deny", syscall=("files.*",), args={"path": "notes/*"})


def test_default_is_deny():
    assert Policy("empty", ()).decide("user:ada", "files.read", "read", {}) == NO_RULE


@pytest.mark.parametrize("rules", [(ALLOW, ASK, DENY), (DENY, ASK, ALLOW), (ASK, DENY, ALLOW)])
def test_strength_decides_not_position(rules):
    policy = Policy("p", rules)
    assert policy.decide("user:ada", "files.write", "write", {"path": "notes/a"}).verdict == "deny"
    assert policy.decide("user:ada", "files.write", "write", {"path": "b"}).verdict == "ask"
    assert policy.decide("user:ada", "files.read", "read", {"path": "b"}).verdict == "allow"


def test_the_decision_names_its_rule():
    assert Policy("p", (ALLOW, DENY)).decide("u", "files.read", "read", {"path": "notes/x"}).rule == "deny-notes"


@pytest.mark.parametrize(
    ("path", "verdict"), [("private/a", "deny"), ("b.key", "deny"), ("notes/b.key.md", "allow"), (None, "allow")]
)
def test_several_patterns_of_an_argument_any_of_which_fits(path, verdict):
    policy = Policy("p", (ALLOW, Rule("secret", "deny", args={"path": ("private/*", "*.key")})))
    args = {"path": path} if path else {}
    assert policy.decide("u", "files.read", "read", args).verdict == verdict


def test_all_named_arguments_must_fit():
    rule = Rule("out", "deny", args={"source": "private/*", "destination": ("public/*", "/*")})
    policy = Policy("p", (ALLOW, rule))

    def verdict(**args: str) -> str:
        return policy.decide("u", "files.copy", "write", args).verdict

    assert verdict(source="private/a", destination="public/a") == "deny"
    assert verdict(source="private/a", destination="private/b") == "allow"
    assert verdict(source="private/a") == "allow"


@pytest.mark.parametrize(
    ("labels", "verdict"), [((), "allow"), (("person",), "allow"), (("web:news",), "ask"), (("person", "file"), "ask")]
)
def test_a_rule_about_labels_matches_where_one_of_them_is(labels, verdict):
    policy = Policy("p", (ALLOW, Rule("untrusted", "ask", labels=("web:*", "file"))))
    assert policy.decide("u", "files.write", "write", {}, labels=frozenset(labels)).verdict == verdict


# Several things at once


LAMPS = Rule("lamps", "allow", syscall=("device.*",), args={"name": "*lamp"})


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ((LAMPS,), "deny"),  # no rule is about the door
        ((LAMPS, Rule("rest", "ask")), "ask"),
        ((Rule("all", "allow"), Rule("door", "deny", args={"name": "front door"})), "deny"),
        ((Rule("all", "allow"),), "allow"),
        # A question about the lamps, asked for above, is none about the door that is denied below.
        ((Rule("a", "ask", args={"name": "*lamp"}, tier="user"), Rule("door", "deny", args={"name": "*door"})), "deny"),
    ],
)
def test_what_is_done_to_several_things_is_decided_for_each(rules, verdict):
    both = Named("study lamp and front door (simulated)", ("study lamp", "front door"))
    policy = Policy("p", rules)
    assert policy.decide("u", "device.turn_on", "external", {"name": both}).verdict == verdict
    assert policy.explain("u", "device.turn_on", "external", {"name": both}).decision.verdict == verdict


def test_what_names_nothing_is_not_allowed():
    assert Policy("p", (ALLOW,)).decide("u", "device.turn_on", "external", {"name": Named("", ())}) == NO_RULE


# Tiers


def tiered(*decisions: tuple[str, str]) -> Policy:
    return Policy("p", tuple(Rule(f"{tier}-{what}", what, tier=tier) for tier, what in decisions))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        ([("bundled", "deny"), ("user", "allow")], "user-allow"),
        ([("bundled", "allow"), ("user", "deny")], "user-deny"),
        ([("user", "allow"), ("user", "deny"), ("bundled", "allow")], "user-deny"),
        ([("user", "deny"), ("admin", "allow")], "admin-allow"),
        ([("user", "allow"), ("admin", "ask"), ("bundled", "deny")], "admin-ask"),
        ([("admin", "ask"), ("admin", "deny"), ("user", "allow")], "admin-deny"),
    ],
)
def test_the_highest_tier_that_matches_decides(rules, winner):
    for order in (rules, rules[::-1]):
        decision = tiered(*order).decide("u", "files.read", "read", {})
        assert decision.rule == winner and winner.startswith(decision.tier)


def test_a_higher_tier_that_does_not_match_leaves_it_to_the_lower():
    policy = Policy("p", (Rule("mine", "allow", syscall=("device.*",), tier="user"), Rule("ask", "ask")))
    assert policy.decide("u", "device.turn_on", "external", {}).verdict == "allow"
    assert policy.decide("u", "files.write", "write", {}).verdict == "ask"


# Rates


@pytest.fixture
def clock():
    return MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


class Calls:
    """Calls as the door makes them: decided, then counted."""

    def __init__(self, clock: MockClock, *rules: Rule) -> None:
        self.policy, self.rates = Policy("p", rules), Rates(clock)

    def decide(self, subject: str = "app:a") -> Any:
        return self.policy.decide(subject, "device.turn_on", "external", {}, rates=self.rates)

    def make(self, subject: str = "app:a") -> str:
        decision = self.decide(subject)
        if decision.verdict != "deny":
            for rule in self.policy.charges(subject, "device.turn_on", "external", {}, rates=self.rates):
                self.rates.spend(rule, subject)
        return decision.verdict


def test_an_allow_rule_allows_up_to_its_rate_and_the_next_rule_decides(clock):
    calls = Calls(clock, Rule("some", "allow", rate=Rate.parse("2/minute"), tier="user"), Rule("rest", "ask"))
    assert [calls.make() for _ in range(4)] == ["allow", "allow", "ask", "ask"]
    assert calls.decide().rule == "rest"
    assert calls.decide().note == "The rate 2/minute of the rule 'some' is used up; again in 60 s."


def test_asking_uses_nothing_up(clock):
    calls = Calls(clock, Rule("some", "allow", rate=Rate.parse("1/minute")))
    assert [calls.decide().verdict for _ in range(5)] == ["allow"] * 5


def test_the_window_slides(clock):
    calls = Calls(clock, Rule("some", "allow", rate=Rate.parse("2/minute")))
    assert calls.make() == "allow"
    clock.advance(40)
    assert [calls.make(), calls.make()] == ["allow", "deny"]
    clock.advance(19.5)
    assert calls.make() == "deny" and "again in 1 s" in calls.decide().note
    clock.advance(0.5)  # the first is a minute old
    assert [calls.make(), calls.make()] == ["allow", "deny"]


def test_each_subject_has_its_own(clock):
    calls = Calls(clock, Rule("some", "allow", rate=Rate.parse("1/hour")))
    assert [calls.make("app:a"), calls.make("app:a"), calls.make("app:b")] == ["allow", "deny", "allow"]


def test_another_rule_matches_only_beyond_its_rate(clock):
    calls = Calls(clock, Rule("all", "allow"), Rule("not-so-often", "deny", rate=Rate.parse("3/minute")))
    assert [calls.make() for _ in range(5)] == ["allow"] * 3 + ["deny"] * 2
    assert calls.decide().rule == "not-so-often" and "is used up" in calls.decide().note
    clock.advance(60)
    assert calls.make() == "allow"


def test_many_subjects_do_not_fill_the_memory(clock):
    calls = Calls(clock, Rule("some", "allow", rate=Rate.parse("1/second")))
    for number in range(5_000):
        calls.make(f"app:{number}")
        clock.advance(0.01)
    assert len(calls.rates._used) <= 1_000


def test_an_allow_rule_allows_until_a_process_has_used_up_its_budget():
    rules = (Rule("some", "allow", budget=Allowance.parse({"calls": 2, "tokens": 100})), Rule("rest", "ask"))
    policy = Policy("p", (replace(rules[0], tier="user"), rules[1]))

    def decide(**used: float) -> Any:
        return policy.decide("app:a", "device.turn_on", "external", {}, used=used)

    assert [decide(calls=n).verdict for n in range(4)] == ["allow", "allow", "ask", "ask"]
    assert decide(calls=1, tokens=99.5, seconds=1e9).rule == "some"
    assert decide(tokens=100).rule == "rest"
    assert decide(calls=2).note == "The budget of the rule 'some' is used up (2 calls, 100 tokens for each process)."
    tried = {one.rule.id: one.why for one in policy.explain("app:a", "x", "read", {}, used={"calls": 2}).rules}
    assert tried["some"] == "The budget of the rule 'some' is used up (2 calls, 100 tokens for each process)."


def test_another_rule_matches_only_when_a_budget_is_used_up():
    policy = Policy("p", (Rule("all", "allow"), Rule("enough", "deny", budget=Allowance.parse({"seconds": 60}))))
    verdicts = [policy.decide("a", "x", "read", {}, used={"seconds": at}).verdict for at in (0, 59.9, 60, 1e6)]
    assert verdicts == ["allow", "allow", "deny", "deny"]
    tried = {one.rule.id: one.why for one in policy.explain("a", "x", "read", {}, used={"seconds": 1}).rules}
    assert tried["enough"] == "not all of 60 seconds is used up"


def test_a_rule_with_both_needs_room_in_both(clock):
    both = Rule("some", "allow", rate=Rate.parse("1/minute"), budget=Allowance.parse({"calls": 5}))
    policy, rates = Policy("p", (both,)), Rates(clock)
    assert policy.decide("a", "x", "read", {}, rates=rates, used={"calls": 4}).verdict == "allow"
    assert policy.decide("a", "x", "read", {}, rates=rates, used={"calls": 5}).verdict == "deny"
    rates.spend(both, "a")
    found = policy.decide("a", "x", "read", {}, rates=rates, used={"calls": 5})
    assert found.verdict == "deny" and "The rate 1/minute" in found.note and "The budget" in found.note


@pytest.mark.parametrize(
    "wrong", [3, "10", {}, {"calls": 0}, {"calls": 1.5}, {"calls": True}, {"seats": 3}, {"calls": 1 << 60}]
)
def test_a_wrong_budget(wrong):
    with pytest.raises(ValueError):
        Allowance.parse(wrong)


@pytest.mark.parametrize("wrong", ["", "10", "0/minute", "ten/minute", "10/fortnight", "-1/minute", "1.5/second"])
def test_a_wrong_rate(wrong):
    with pytest.raises(ValueError):
        Rate.parse(wrong)


# Explaining


def test_an_explanation_says_what_each_rule_does(clock):
    rates = Rates(clock)
    some = Rule("some", "allow", rate=Rate.parse("1/minute"), tier="user")
    policy = Policy(
        "p",
        (
            some,
            Rule("secret", "deny", args={"path": "private/*"}),
            Rule("all", "allow"),
            Rule("ask-writes", "ask", effect=("write",), where="p.toml:9"),
            Rule("apps", "allow", subject=("app:*",)),
            Rule("web", "deny", labels=("web",)),
        ),
    )
    rates.spend(some, "user:ada")
    found = policy.explain("user:ada", "files.write", "write", {"path": "a"}, rates=rates)
    assert (found.decision.verdict, found.decision.rule, found.decision.where) == ("ask", "ask-writes", "p.toml:9")
    assert {tried.rule.id: (tried.matched, tried.why) for tried in found.rules} == {
        "some": (False, "The rate 1/minute of the rule 'some' is used up; again in 60 s."),
        "secret": (False, "path is 'a', not private/*"),
        "all": (True, "ask beats allow"),
        "ask-writes": (True, ""),
        "apps": (False, "it is about app:*, not user:ada"),
        "web": (False, "nothing in it is labelled web"),
    }


_words = st.sampled_from(["files.read", "files.*", "*", "user:ada", "app:*", "a", "b*", "web"])
_lists = st.lists(_words, min_size=1, max_size=2).map(tuple)
_rules = st.builds(
    Rule,
    id=st.uuids().map(str),
    decision=st.sampled_from(["allow", "ask", "deny"]),
    subject=_lists,
    syscall=_lists,
    effect=st.lists(st.sampled_from(get_args(Effect)), max_size=2).map(tuple),
    args=st.dictionaries(st.sampled_from(["path", "name"]), _lists, max_size=2),
    labels=st.lists(_words, max_size=1).map(tuple),
    tier=st.sampled_from(["admin", "user", "bundled"]),
)


@given(
    st.lists(_rules, max_size=5).map(tuple),
    st.sampled_from(["user:ada", "app:b"]),
    st.sampled_from(["files.read", "device.set"]),
    st.sampled_from(get_args(Effect)),
    st.dictionaries(st.sampled_from(["path", "name"]), st.sampled_from(["a", "bc", "x"])),
    st.sets(st.sampled_from(["web", "person"])).map(frozenset),
)
def test_an_explanation_is_never_another_than_the_decision(rules, subject, syscall, effect, args, labels):
    policy = Policy("p", rules)
    found = policy.explain(subject, syscall, effect, args, labels=labels)
    assert found.decision == policy.decide(subject, syscall, effect, args, labels=labels)
    for tried in found.rules:
        assert tried.matched is tried.rule.matches(subject, syscall, effect, args, labels)
        assert (tried.why == "") is (tried.rule.id == found.decision.rule)
    for tried in found.rules:  # nothing that matches in a higher tier, or is stricter in this one, was passed over
        if tried.matched:
            tiers = ("admin", "user", "bundled")
            assert tiers.index(tried.rule.tier) >= tiers.index(found.decision.tier)  # type: ignore[arg-type]


# Files


@pytest.mark.parametrize("name", ["default", "developer", "readonly"])
def test_shipped_policies_decide_every_effect(name):
    policy = Policy.load(shipped("policies") / f"{name}.toml")
    assert policy.decide("user:ada", "files.read", "read", {}).verdict == "allow"
    final = policy.decide("user:ada", "memory.forget", "final", {})
    assert final.verdict == ("deny" if name == "readonly" else "ask")
    write = policy.decide("user:ada", "files.write", "write", {})
    assert write.verdict == ("deny" if name == "readonly" else "allow")
    assert write.rule != "no-rule"


def test_a_character_may_look_but_not_write_by_default():
    policy = Policy.load(shipped("policies") / "default.toml")
    assert policy.decide("character:Alice", "files.write", "write", {}).verdict == "deny"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]]\ndecision = 'allow'", "needs an id"),
        ("[[rule]]\nid = 'a'\ndecision = 'maybe'", "allow, ask or deny"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nefect = ['read']", "unknown key 'efect'"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\neffect = ['wirte']", "names an effect 'wirte'"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nsyscall = 'files.*'", "no list of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\n[[rule]]\nid = 'a'\ndecision = 'deny'", "Two rules"),
        ("not toml at all", "can't be read"),
        ("rule = 3", "something else than"),
        ("rule = [3]", "something else than"),
        ("roule = 'x'", "something else than"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nsyscall = []", "no list of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nsyscall = [1]", "no list of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nlabels = 'web'", "labels that is no list"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nargs = { path = [] }", "no table of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nargs = { path = 3 }", "no table of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nargs = ['a']", "no table of patterns"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nrate = 10", "has a rate 10"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nrate = 'often'", "has a rate 'often'"),
        ("[[rule]]\nid = 'a'\ndecision = 'allow'\nbudget = { seats = 3 }", "has a budget"),
        ("[[rule]]\nid = ['a']\ndecision = 'allow'", "needs an id"),
        ("[[rule]]\nid = 'a'\ndecision = ['allow']", "allow, ask or deny"),
        ("a = " + "[" * 5_000 + "]" * 5_000, "can't be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_mistake(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        Policy.load(path)


def test_a_missing_policy_lists_those_there_are():
    with pytest.raises(UsageError, match="child, default, developer, kiosk, readonly"):
        Policy.load(shipped("policies") / "nothere.toml")


_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from(["allow", "read", "*", "10/minute", "", "[z-a]"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from([*_KEYS, "other"]), _values, max_size=6), max_size=3))
def test_whatever_is_in_a_file_is_a_rule_or_a_mistake(tmp_path_factory, rules):
    lines = [f"[[rule]]\n{''.join(f'{k} = {json.dumps(v)}{chr(10)}' for k, v in rule.items())}" for rule in rules]
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("\n".join(lines))
    found = examine(path)
    assert len(found.rules) + len({mistake.line for mistake in found.mistakes}) >= len(rules)
    Policy("any", found.rules).decide("user:ada", "files.read", "read", {"path": "a"}, labels=frozenset({"web"}))


def test_all_mistakes_are_found_with_their_lines(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "name = 'mine'\n\n[[rule]]\nid = 'a'\ndecision = 'maybe'\nefect = ['read']\n\n"
        "[[rule]]\nid = 'b'\ndecision = 'allow'\n\n[[rule]]\nid = 'b'\ndecision = 'deny'\nrate = 'x'\n"
    )
    found = examine(path)
    assert [(mistake.line, mistake.what.partition("line")[2][:3].strip(" ,")) for mistake in found.mistakes] == [
        (3, "3"), (3, "3"), (12, "12"), (12, "12"),
    ]  # fmt: skip
    assert [rule.id for rule in found.rules] == ["b"]
    with pytest.raises(UsageError, match=r"3 more: 'llmasos policy check"):
        Policy.load(path)


def test_a_rule_knows_its_line_where_it_is_plain(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# mine\n[[rule]]\nid = 'a'\ndecision = 'allow'\n  [[ rule ]]\nid = 'b'\ndecision = 'deny'\n")
    assert [rule.where for rule in Policy.load(path).rules] == [f"{path}:2", f"{path}:5"]
    path.write_text("rule = [{ id = 'a', decision = 'allow' }]")
    assert [rule.where for rule in Policy.load(path).rules] == [str(path)]


def test_a_file_has_all_keys(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        name = "mine"
        description = "All keys."
        [[rule]]
        id = "all-keys"
        description = "Each is there."
        subject = ["app:*"]
        syscall = ["device.*"]
        effect = ["external"]
        args = { name = ["lamp*", "desk*"], value = "on" }
        labels = ["web"]
        rate = "10/minute"
        budget = { calls = 50, seconds = 60 }
        decision = "allow"
        """
    )
    (rule,) = Policy.load(path).rules
    assert rule == Rule(
        "all-keys", "allow", ("app:*",), ("device.*",), ("external",), {"name": ("lamp*", "desk*"), "value": ("on",)},
        ("web",), Rate(10, 60.0, "10/minute"), "Each is there.", "bundled", f"{path}:4",
        Allowance((("calls", 50), ("seconds", 60))),
    )  # fmt: skip


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(UsageError, match="is no file"):
        Policy.load(tmp_path / "pipe.toml")
    (tmp_path / "large.toml").write_text("#" * (1 << 20) + "\n#")
    with pytest.raises(UsageError, match="bytes"):
        Policy.load(tmp_path / "large.toml")
