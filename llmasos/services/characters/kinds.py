"""Whether a memory is of somebody or something else than a question asks for: of a dog, where it asks for a cat.

Both are near to each other by meaning, so that only their names tell them apart. A word that stands for several,
"sibling", goes with each of them.
"""

from __future__ import annotations

import re

_GROUPS = (
    """dog: dog puppy pup hound; cat: cat kitten kitty; rabbit: rabbit bunny; rodent: hamster mouse rat gerbil rodent;
    bird: bird parrot budgie canary; horse: horse pony mare; fish: fish goldfish; tortoise: tortoise turtle""",
    """mother: mother mum mom mama parent; father: father dad papa parent; sister: sister sibling;
    brother: brother sibling; son: son boy child kid; daughter: daughter girl child kid; aunt: aunt; uncle: uncle;
    husband: husband partner spouse; wife: wife partner spouse; cousin: cousin; nephew: nephew; niece: niece;
    grandmother: grandmother grandma granny gran nana grandparent; grandson: grandson grandchild;
    grandfather: grandfather grandad granddad grandpa grandparent; granddaughter: granddaughter grandchild;
    neighbour: neighbour neighbor; boss: boss; friend: friend pal mate; colleague: colleague coworker;
    teacher: teacher tutor; dentist: dentist; doctor: doctor physician; vet: vet; landlord: landlord;
    therapist: therapist""",
    """car: car; bicycle: bicycle bike; motorbike: motorbike motorcycle; boat: boat ship yacht; train: train;
    plane: plane flight; bus: bus""",
)
"""Of which one has several, and asks for one: the kinds of a group, each with the words for it."""


def _kinds_by_word(group: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in group.split(";"):
        kind, words = row.split(":")
        for word in words.split():
            found.setdefault(word, set()).add(kind.strip())
    return found


_KINDS = [_kinds_by_word(group) for group in _GROUPS]
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def of_another(question: str, memory: str) -> bool:
    """Whether a question asks for one of a group, and a memory is of others of it only."""
    asked, told = _words(question), _words(memory)
    for kinds in _KINDS:
        wanted = [kinds[word] for word in asked if word in kinds]
        there = [kinds[word] for word in told if word in kinds]
        # "My brother's boy" is a nephew: what two of them make together isn't known here.
        if len(wanted) == 1 and there and not any(wanted[0] & one for one in there):
            return True
    return False


def _words(text: str) -> list[str]:
    """The words of a text, each also without an s at its end."""
    found = _WORD.findall(text.casefold().replace("’", "'").replace("'s", ""))
    return [word if any(word in kinds for kinds in _KINDS) else word.removesuffix("s") for word in found]
