"""From what was said to the one thing meant.

For what must exist: the path itself, then without regard to case, then without articles and the word
"folder", then by name anywhere in the workspace (with or without extension), then by all of its words. Each
step is tried only where the one before found nothing; several at one step are a question. A misspelt name
resolves to nothing, it is only suggested: a guess must not end in a deleted file.
"""

from __future__ import annotations

import difflib
import re
import stat
from collections.abc import Sequence

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.trap import Caller
from llmasos.services.files.place import TEMPORARY, Place, key
from llmasos.services.files.said import HERE, TOP, Reading, Want, clean, loose, new_name, readings, stem
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.walk import Entry, Walk

OPTIONS = 12
"""At most so many are offered in a question."""

_COMPARED = 5_000
"""Names that a misspelt one is compared with."""

_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")


async def existing(caller: Caller, space: Space, said: str, *, want: Want = "any", follow: bool = True) -> Place:
    """The one thing that is meant and exists.

    Raises:
        SyscallError: ENOENT with the nearest name; EAMBIG where nobody says which; EACCES; EINVAL.
    """
    text = clean(said)
    found = await in_thread(lambda _: candidates(space, text, want=want, follow=follow))
    if not found:
        raise await in_thread(lambda _: missing(space, text, want))
    return await one_of(caller, text, found)


async def one_of(caller: Caller, text: str, found: Sequence[Place]) -> Place:
    """The one that the person means."""
    if len(found) == 1:
        return found[0]
    options = [place.shown for place in found[:OPTIONS]]
    return found[options.index(await caller.choose(f"Which {text!r} do you mean?", options))]


def candidates(
    space: Space, text: str, *, want: Want = "any", follow: bool = True, anywhere: bool = True
) -> list[Place]:
    """All things that a cleaned name can mean, at the first step that finds any."""
    forms = readings(text)
    for reading in forms:
        for base in dict.fromkeys((space.cwd, ())):
            found = _fitting(space, space.lookup(space.parts(reading.text, base)), reading.want, want, follow)
            if found:
                return found
    if key(text) in HERE and want != "file":
        return [space.here]
    if key(text) in TOP and want != "file":
        return [space.top]
    return _anywhere(space, forms, want) if anywhere else []


def appendable(space: Space, text: str) -> list[Place]:
    """Files that a cleaned name can mean when something is added: by path, or by whole name anywhere."""
    found = candidates(space, text, want="file", anywhere=False)
    if found or "/" in text:
        return found
    files = [e.place for e in Walk(space, space.top) if not e.folder]
    for reading in readings(text):
        same = [place for place in files if _same_name(place, reading.text)]
        if same:
            return same
    return []


def folders_named(space: Space, text: str) -> list[Place]:
    """Folders that a destination can mean: by path, or by whole name anywhere."""
    found = candidates(space, text, want="folder", anywhere=False)
    if found or "/" in text.rstrip("/"):
        return found
    entries = [e for e in Walk(space, space.top) if e.folder]
    for reading in readings(text):
        same = [e.place for e in entries if loose(e.place.name) == loose(reading.text.rstrip("/"))]
        if same:
            return same
    return []


def target(space: Space, said: str, *, folder: bool = False) -> Place:
    """The place of something that may be new: existing folders on the way are found without regard to case.

    Raises:
        SyscallError: EAMBIG, several folders are called so; EINVAL, the name can't be given; EACCES; ENOTDIR.
    """
    text = clean(said)
    parts = space.parts(new_name(text, folder=folder), space.cwd)
    if not parts:
        raise SyscallError("EEXIST", "That is the workspace itself.", "Name something in it.")
    at = space.top
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        found = _known(space, at, part, folder=not last)
        if not found:
            _check_new(part)
            at = at.child(part)
        elif len(found) == 1:
            at = space.contained(found[0])
        else:
            shown = tuple("/".join(p) for p in found)
            raise SyscallError("EAMBIG", f"{part} can be {', '.join(shown[:OPTIONS])}.", "Say which.", choices=shown)
        if not last and at.exists() and not at.is_folder():
            raise SyscallError("ENOTDIR", f"{at.shown} is a file, so nothing can be in it.", "Choose another folder.")
    return at


def missing(space: Space, text: str, want: Want = "any") -> SyscallError:
    """That there is no such thing, with the nearest name."""
    kind = {"any": "file or folder", "file": "file", "folder": "folder"}[want]
    names: dict[str, str] = {}
    for entry in Walk(space, space.top, limit=_COMPARED, seconds=1.0):
        if want == "any" or entry.folder == (want == "folder"):
            names.setdefault(loose(entry.place.name), entry.place.shown)
            names.setdefault(loose(stem(entry.place.name)), entry.place.shown)
    for reading in reversed(readings(text)):
        near = difflib.get_close_matches(loose(reading.text.rsplit("/", 1)[-1]), names, n=1, cutoff=0.6)
        if near:
            return SyscallError(
                "ENOENT",
                f"There is no {kind} {text!r}.",
                f"Did you mean {names[near[0]]}?",
                choices=(names[near[0]],),
            )
    return SyscallError("ENOENT", f"There is no {kind} {text!r}.", "'files.list' shows what there is.")


def _fitting(space: Space, found: Sequence[tuple[str, ...]], said: Want, asked: Want, follow: bool) -> list[Place]:
    places = [space.contained(parts, follow=follow) for parts in found]
    return [p for p in dict.fromkeys(places) if _is(p, said) and _is(p, asked)]


def _is(place: Place, want: Want) -> bool:
    if want == "any":
        return True
    status = place.stat()
    return status is not None and stat.S_ISDIR(status.st_mode) == (want == "folder")


def _anywhere(space: Space, forms: Sequence[Reading], want: Want) -> list[Place]:
    entries = list(Walk(space, space.top))
    for match in (_same_name, _same_words):
        for reading in forms:
            wanted = [e for e in entries if _kind_fits(e, reading.want) and _kind_fits(e, want)]
            found = [e.place for e in wanted if match(e.place, reading.text)]
            if found:
                return sorted(found, key=lambda p: (len(p.parts), len(p.name), p.shown))
    return []


def _kind_fits(entry: Entry, want: Want) -> bool:
    return want == "any" or entry.folder == (want == "folder")


def _same_name(place: Place, text: str) -> bool:
    """Whether the last names of a place are those said; the very last also without its extension."""
    said = [loose(p) for p in text.strip("~/").split("/") if p.strip()]
    if not said or len(said) > len(place.parts) or ".." in text.split("/"):
        return False
    names = [loose(p) for p in place.parts[-len(said) :]]
    return names[:-1] == said[:-1] and said[-1] in (names[-1], loose(stem(place.name)))


def _same_words(place: Place, text: str) -> bool:
    """Whether all words said occur in the name."""
    if "/" in text:
        return False
    name = loose(place.name)
    said = loose(text)
    chinese = _CJK.findall(said)
    words = _CJK.sub(" ", said).split()
    if max((len(w) for w in (*words, *chinese)), default=0) < 2:
        return False
    known = _CJK.sub(" ", name).split()
    return all(any(k == w or (len(w) > 2 and k.startswith(w)) for k in known) for w in words) and all(
        c in name for c in chinese
    )


def _known(space: Space, at: Place, part: str, *, folder: bool) -> list[tuple[str, ...]]:
    """What is called so in a folder, which need not exist; the word "folder" may be said for one."""
    if not at.is_folder():
        return []
    forms = [r.text for r in readings(part)] if folder else [part]
    for form in forms:
        if "/" not in form and (found := space.lookup((*at.parts, form))):
            return found
    return []


def _check_new(name: str) -> None:
    if name.startswith(TEMPORARY):
        raise SyscallError("EINVAL", f"Names that begin with {TEMPORARY} are the system's own.", "Choose another.")
