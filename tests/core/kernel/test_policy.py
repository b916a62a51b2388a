"""Policies: what wins, what is refused, and what a wrong file says."""

import pytest

from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import shipped
from llmasos.core.kernel.policy import NO_RULE, Policy, Rule

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
    ],
)
def test_a_wrong_file_is_named_with_its_mistake(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        Policy.load(path)


def test_a_missing_policy_lists_those_there_are():
    with pytest.raises(UsageError, match="default, developer, readonly"):
        Policy.load(shipped("policies") / "nothere.toml")
