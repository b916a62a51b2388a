"""The syscalls `files.*`: what was said is resolved, shown, and done by the rooms beside this one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.errors import LlmasosError, SyscallError
from llmasos.core.base.values import text
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.answers.grounds import may
from llmasos.services.answers.passage import Passage
from llmasos.services.answers.question import Question
from llmasos.services.files import changes, evidence, origin, pieces, reading
from llmasos.services.files.changes import Room
from llmasos.services.files.documents import Documents
from llmasos.services.files.documents.reader import kind_of
from llmasos.services.files.index import Index
from llmasos.services.files.meaning import Embedder, Meaning
from llmasos.services.files.place import Place
from llmasos.services.files.plan import Plans, Target, Transfer
from llmasos.services.files.resolve import appendable, existing, folders_named, one_of, target
from llmasos.services.files.said import clean, new_name, wants_folder
from llmasos.services.files.search import Found, search
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.undo import Undo

NAMED = 300
"""Names of a folder that are known to the interpreter."""

PathArgument = Annotated[str, Kind("path")]
OptionalPath = Annotated[str | None, Kind("path")]
Span = Callable[[str], tuple[datetime, datetime] | None]
"""What a phrase like "last week" means: from when until when, or None where it says no time."""

_SUMMARIZED = 4 << 20
"""Bytes of a file that a summary is made from."""


class Files(Undo):
    """The workspace's files.

    Args:
        private: Folders that no call may reach, the system's own home above all.
        embedder: What makes `files.find` search by meaning; without it, words serve.
        span: What reads `when` of `files.find`; the schedule service brings it.
        documents: What reads PDF, Word and others; without it, they are binary files.
        keep_trash: Days that something lies in a workspace's trash at most; 0 leaves it there.
        keep_trash_bytes: How much lies there at most; the oldest go. 0 is no limit.
    """

    def __init__(
        self,
        *,
        private: Sequence[Path] = (),
        embedder: Embedder | None = None,
        span: Span | None = None,
        keep_trash: int = 0,
        documents: Documents | None = None,
        keep_trash_bytes: int = 0,
    ) -> None:
        self._private = tuple(private)
        self._meaning = Meaning(embedder) if embedder is not None else None
        self._index = Index(self._meaning, documents)
        self._reads_documents = documents is not None
        self._watched: dict[Path, Space] = {}
        self._background: Store | None = None
        self._span = span
        self._keep_trash = keep_trash, keep_trash_bytes
        self._targets: Plans[Target] = Plans()
        self._transfers: Plans[Transfer] = Plans()

    def start(self, store: Store) -> None:
        """Index the workspaces of sessions in the background, from now on; for a program that stays."""
        self._background = store
        for space in self._watched.values():
            self._index.go_on(store, space)

    def watch(self, session: Session) -> None:
        """Index the workspace of a session in the background, as soon as that is done at all."""
        try:
            space = Space.of(session, self._private)
        except SyscallError:
            return  # it isn't there; the first call says so
        self._watched[space.root] = space
        if self._background is not None:
            self._index.go_on(self._background, space)

    async def close(self) -> None:
        """End what goes on in the background."""
        await self._index.close()

    async def names(self, session: Session) -> Iterable[str]:
        """What stands in the session's current folder."""

        def entries() -> Iterable[str]:
            with contextlib.suppress(OSError), os.scandir(session.workspace / session.cwd) as found:
                return [entry.name for entry in itertools.islice(found, NAMED) if not entry.name.startswith(".")]
            return []

        return await asyncio.to_thread(entries)

    @syscall("files.list", effect="read", preview="preview_list")
    async def list(self, caller: Caller, path: OptionalPath = None) -> dict[str, Any]:
        """List a folder.

        Args:
            path: Which folder; the current one where nothing is said.

        Examples:
            what files do I have here
            show me everything inside the invoices folder
            列出照片文件夹里的东西
            ls drafts/2022
        """
        space = self._space(caller)
        place = await self._existing(caller, path) if path is not None else space.here
        if place.is_folder():
            return await in_thread(lambda _: reading.listing(space, place, self._zone(caller)))
        return reading.found(space, [place], self._zone(caller), empty="", notes=[])

    @syscall("files.find", effect="read")
    async def find(
        self, caller: Caller, query: str, path: OptionalPath = None, when: str | None = None
    ) -> dict[str, Any]:
        """Find files by name, by words inside, or by meaning.

        Args:
            query: What to look for.
            path: The folder to look in; the whole workspace where nothing is said.
            when: When it was last changed.

        Examples:
            where did I put the rental contract
            look for anything about the roof repair in the house folder
            find the slides I edited last week
            帮我找一下去年的体检报告
        """
        space = self._space(caller)
        said = clean(query)
        start = await existing(caller, space, path, want="folder") if path is not None else space.top
        result = await self._found(caller, space, start, said, self._when(when))
        places = result.places
        where = f" in {start.shown}" if start.parts else ""
        during = f" from {when}" if when else ""
        empty = f"Nothing was found for {said!r}{where}{during}."
        return await in_thread(
            lambda _: reading.found(space, places, self._zone(caller), empty=empty, notes=result.notes)
        )

    async def passages(self, caller: Caller, question: Question) -> Sequence[Passage]:
        """Sentences of the workspace's files that may answer a question, of files that the caller may read."""
        space, store = self._space(caller), caller.kernel.store
        found: list[Passage] = []
        for place in await evidence.likely(store, space, question, self._index, self._meaning):
            if may(caller, "files.read", path=place.shown):
                found += await evidence.passages_of(store, space, place, self._index)
        return found

    @syscall("files.read", effect="read", preview="preview_existing")
    async def read(self, caller: Caller, path: PathArgument) -> dict[str, Any]:
        """Show a file.

        Args:
            path: Which file.

        Examples:
            open ideas/garden.md
            what does the packing list say
            读一下会议纪要
            cat setup.cfg
        """
        space = self._space(caller)
        place = await self._existing(caller, path)
        if place.is_folder():
            return await in_thread(lambda _: reading.listing(space, place, self._zone(caller)))
        if self._is_document(place):
            document = await self._index.document(caller.kernel.store, place)
            return reading.document(space, place, document)
        return await in_thread(lambda _: reading.contents(space, place))

    @syscall("files.summarize", effect="read", preview="preview_existing")
    async def summarize(self, caller: Caller, path: PathArgument) -> dict[str, Any]:
        """Summarize a file in its own sentences.

        Args:
            path: Which file.

        Examples:
            give me the gist of thesis/chapter3.md
            what are the main points in the landlord's letter
            总结一下年度报告
        """
        place = await self._existing(caller, path)
        if place.is_folder():
            raise SyscallError("EISDIR", f"{place.shown} is a folder.", "Name a file in it.")
        if self._reads_documents and kind_of(place.name):
            document = await self._index.document(caller.kernel.store, place)
            parts, cut = document.parts, document.note
        else:
            words, _, rest = await in_thread(lambda _: reading.words_of(place, _SUMMARIZED))
            parts, cut = pieces.of_text(words), "From the file's beginning; the whole is larger." if rest else ""
        summary = await asyncio.to_thread(pieces.summarize, parts)
        note = cut if summary else "The file is empty."
        made_by = origin.read(place)
        return text(
            summary,
            source="file",
            ref=self._space(caller).ref(place),
            title=f"Summary of {place.shown}",
            note=" ".join(filter(None, (note, origin.said(made_by)))),
            sources=made_by,
        )

    @syscall("files.write", effect="write", preview="preview_write", bound=True)
    async def write(self, caller: Caller, path: PathArgument, content: str) -> dict[str, Any]:
        """Create or overwrite a text file.

        Args:
            path: Which file.
            content: What it is to say.

        Examples:
            save "call the plumber" as errands.txt
            create a file named greeting.md saying good evening
            新建文件 愿望.txt，内容是 去看海
        """
        plan = self._targets.take(caller.call) or await self._writing(caller, path)
        return await changes.write(self._room(caller), plan.place, content, origin.of(caller, "content"))

    async def preview_write(self, caller: Caller, path: str, content: str) -> dict[str, str]:
        """The whole path that would be written."""
        return self._targets.keep(caller.call, await self._writing(caller, path)).shown()

    @syscall("files.append", effect="write", preview="preview_append", bound=True)
    async def append(self, caller: Caller, path: PathArgument, content: str) -> dict[str, Any]:
        """Add text to the end of a file.

        Args:
            path: Which file; it is made where there is none.
            content: What to add.

        Examples:
            add two lemons to groceries.txt
            put "sent the form" at the end of log.md
            在日记.txt末尾加上 今天很开心
        """
        plan = self._targets.take(caller.call) or await self._appending(caller, path)
        return await changes.append(self._room(caller), plan.place, content, origin.of(caller, "content"))

    async def preview_append(self, caller: Caller, path: str, content: str) -> dict[str, str]:
        """The whole path that would be added to."""
        return self._targets.keep(caller.call, await self._appending(caller, path)).shown()

    @syscall("files.copy", effect="write", preview="preview_copy", bound=True)
    async def copy(self, caller: Caller, source: PathArgument, destination: PathArgument) -> dict[str, Any]:
        """Copy a file or folder.

        Args:
            source: What to copy.
            destination: A folder to put it in, or its new name.

        Examples:
            make a copy of budget.xlsx called budget-old.xlsx
            duplicate the contract into the backup folder
            把封面.png复制到素材文件夹
        """
        plan = self._transfers.take(caller.call) or await self._transfer(caller, source, destination, copying=True)
        return await changes.copy(self._room(caller), plan.source, plan.destination)

    async def preview_copy(self, caller: Caller, source: str, destination: str) -> dict[str, str]:
        """The whole paths of the original and the copy."""
        plan = await self._transfer(caller, source, destination, copying=True)
        await in_thread(lambda _: changes.check_copyable(plan.source))
        return self._transfers.keep(caller.call, plan).shown()

    @syscall("files.move", effect="write", preview="preview_move", bound=True)
    async def move(self, caller: Caller, source: PathArgument, destination: PathArgument) -> dict[str, Any]:
        """Move or rename a file or folder.

        Args:
            source: What to move.
            destination: A folder to put it in, or its new name.

        Examples:
            rename draft.txt to final.txt
            put the boarding pass into the travel folder
            把旧合同移到存档文件夹
        """
        plan = self._transfers.take(caller.call) or await self._transfer(caller, source, destination, copying=False)
        return await changes.move(self._room(caller), plan.source, plan.destination)

    async def preview_move(self, caller: Caller, source: str, destination: str) -> dict[str, str]:
        """The whole paths before and after."""
        return self._transfers.keep(
            caller.call, await self._transfer(caller, source, destination, copying=False)
        ).shown()

    @syscall("files.delete", effect="destroy", preview="preview_delete", bound=True)
    async def delete(self, caller: Caller, path: PathArgument) -> dict[str, Any]:
        """Delete a file or folder; undo brings it back.

        Args:
            path: What to delete.

        Examples:
            get rid of scratch.tmp
            throw away the old screenshots folder
            删掉 草稿2.docx
        """
        plan = self._targets.take(caller.call) or await self._deleting(caller, path)
        return await changes.delete(self._room(caller), plan.place)

    async def preview_delete(self, caller: Caller, path: str) -> dict[str, str]:
        """The whole path that would go."""
        return self._targets.keep(caller.call, await self._deleting(caller, path)).shown()

    @syscall("files.mkdir", effect="write", preview="preview_mkdir", bound=True)
    async def mkdir(self, caller: Caller, path: PathArgument) -> dict[str, Any]:
        """Create a folder.

        Args:
            path: Its name, or where it is to be.

        Examples:
            make a folder called Receipts
            I need a new directory projects/boat
            建一个叫 旅行 的文件夹
        """
        plan = self._targets.take(caller.call) or await self._making(caller, path)
        return await changes.mkdir(self._room(caller), plan.place)

    async def preview_mkdir(self, caller: Caller, path: str) -> dict[str, str]:
        """The whole path of the new folder."""
        return self._targets.keep(caller.call, await self._making(caller, path)).shown()

    async def preview_existing(self, caller: Caller, path: str) -> dict[str, str]:
        """The whole path that is meant."""
        space = self._space(caller)
        return self._targets.keep(caller.call, Target(await existing(caller, space, path))).shown()

    async def preview_list(self, caller: Caller, path: str | None = None) -> dict[str, str]:
        """The whole path of the folder."""
        return await self.preview_existing(caller, path) if path is not None else {}

    async def _existing(self, caller: Caller, path: str) -> Place:
        """What is there under a name; what the preview has found already, where there was one."""
        plan = self._targets.take(caller.call)
        return plan.place if plan else await existing(caller, self._space(caller), path)

    async def _writing(self, caller: Caller, path: str) -> Target:
        place = target(self._space(caller), path)
        changes.check_writable(place)
        return Target(place)

    async def _appending(self, caller: Caller, path: str) -> Target:
        space = self._space(caller)
        found = await in_thread(lambda _: appendable(space, clean(path)))
        place = await one_of(caller, path, found) if found else target(space, path)
        changes.check_writable(place)
        return Target(place)

    async def _deleting(self, caller: Caller, path: str) -> Target:
        space = self._space(caller)
        place = await existing(caller, space, path, follow=False)
        _check_movable(space, place, "deleted")
        return Target(place)

    async def _making(self, caller: Caller, path: str) -> Target:
        place = target(self._space(caller), path, folder=True)
        if place.exists():
            raise SyscallError("EEXIST", f"{place.shown} is there already.", "Choose another name.")
        return Target(place)

    async def _transfer(self, caller: Caller, source: str, destination: str, *, copying: bool) -> Transfer:
        space = self._space(caller)
        what = await existing(caller, space, source, follow=copying)
        _check_movable(space, what, "copied" if copying else "moved")
        where = await self._destination(caller, space, what, destination, copying=copying)
        if where.inside(what) and where != what:
            raise SyscallError("EINVAL", f"{what.shown} can't be put into itself.", "Choose a place outside it.")
        if where.exists():
            raise SyscallError(
                "EEXIST", f"{where.shown} is there already.", "Choose another name, or delete that first."
            )
        return Transfer(what, where)

    async def _destination(self, caller: Caller, space: Space, source: Place, said: str, *, copying: bool) -> Place:
        """Where a thing goes: into a folder that is there or plainly meant, else under a new name."""
        words = clean(said)
        folders = await in_thread(lambda _: folders_named(space, words))
        others = [folder for folder in folders if folder != source]
        if others:
            return (await one_of(caller, words, others)).child(source.parts[-1])
        if not folders and wants_folder(words):
            folder = target(space, words, folder=True)
            if folder.exists():
                raise SyscallError(
                    "ENOTDIR",
                    f"{folder.shown} is a file, so nothing can be put into it.",
                    "Choose another name.",
                )
            return folder.child(source.parts[-1])
        place = target(space, words)
        if place == source and not copying:
            # The same but for its case or Unicode form: that is the renaming which is wanted.
            return place.parent.child(new_name(words).rsplit("/", 1)[-1])
        return place

    async def _found(
        self, caller: Caller, space: Space, start: Place, said: str, span: tuple[datetime, datetime] | None
    ) -> Found:
        store = caller.kernel.store
        try:
            return await search(store, space, start, said, self._index, span=span, meaning=self._meaning)
        except SyscallError:
            raise
        except LlmasosError as error:
            # The embedder lives in a process of its own and can break; words still find most of it.
            result = await search(store, space, start, said, self._index, span=span)
            result.notes.append(f"Searched by words only: {error}")
            return result

    def _is_document(self, place: Place) -> bool:
        """Whether it is read by a reader of documents. A web page is shown as it is, as any text file."""
        return self._reads_documents and kind_of(place.name) not in ("", "html")

    def _when(self, when: str | None) -> tuple[datetime, datetime] | None:
        if when is None:
            return None
        if self._span is None:
            raise SyscallError("ENOTSUP", "Nothing here can tell which time is meant.", "Leave the time out.")
        span = self._span(when)
        if span is None:
            raise SyscallError(
                "EINVAL",
                f"{when!r} is no time that I know.",
                'Say "last week" or "March 2024", for instance.',
            )
        return span

    def _space(self, caller: Caller) -> Space:
        return Space.of(caller.session, self._private)

    def _room(self, caller: Caller) -> Room:
        return Room(caller, self._space(caller), *self._keep_trash)

    def _zone(self, caller: Caller) -> Any:
        return caller.kernel.clock.now().tzinfo


def _check_movable(space: Space, place: Place, what: str) -> None:
    if not place.parts:
        raise SyscallError("EACCES", f"The workspace itself can't be {what}.", "Name something in it.")
    if space.holds_private(place):
        raise SyscallError(
            "EACCES",
            f"{place.shown} holds the system's own state and can't be {what}.",
            "Name something else in it.",
        )
