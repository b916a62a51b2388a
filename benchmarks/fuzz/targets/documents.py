"""Documents of others: as the confined child reads them, and what of the child is ours, without a child."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

from benchmarks.answers import paper
from benchmarks.fuzz import warm
from benchmarks.fuzz.mutate import Bytes
from benchmarks.fuzz.target import Target
from llmasos import sdk
from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.sandbox import Launcher, zygote
from llmasos.sdk import ToolError
from llmasos.services.files.documents import Documents, markup, zipped
from llmasos.services.files.documents.reader import CHARACTERS
from llmasos.services.files.place import Place

Members = Mapping[str, bytes]

_OPEN = (
    b'<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    b' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
    b"<text:h>Garden</text:h><text:p>Beans<text:s/>by<text:tab/>the <text:span>wall</text:span>.<text:line-break/>"
    b"<text:note><text:p>a note</text:p></text:note></text:p><text:list><text:list-item><text:p>one</text:p>"
    b"</text:list-item></text:list></office:text></office:body></office:document-content>"
)
_CONTAINER = (
    b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    b'<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
_PACKAGE = (
    b'<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="one.xhtml"/><item id="b"'
    b' href="two%20.xhtml"/></manifest><spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
)
_PAGE = (
    b"<html><head><title>x</title><style>p{}</style></head><body><h1>Booking</h1><p>Seats 41&nbsp;and 42, in wri-\nting."
    b"</p><script>alert(1)</script><ul><li>one<li>two</ul><table><tr><td>a<td>b</table><h2>End</h2>&#x41;&#0;</body>"
)
_RTF = (
    rb"{\rtf1\ansi\ansicpg1252 {\fonttbl{\f0 Arial;}}{\b Packing list}\par Two towels, a caf\'e9 map\u8212- \uc1.\par}"
)
_PAGES = ["Rental contract\n\nThe rent is 840 euros.", "Notice\n\nThree months, in writing (by letter)."]
_WORDS = (
    b"<text:p>", b"</text:p>", b"<text:h>", b"<text:s/>", b"&amp;", b"&#xD800;", b"&lol;", b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<!ENTITY a '&b;&b;&b;'>", b"<![CDATA[", b"]]>", b"<?xml version='1.0' encoding='utf-16'?>", b"<h3>", b"</h3>", b"<td>",
    b"<script>", b"<!--", b"<svg>", b"../../book.opf", b'idref="a"', b"full-path=", b"\\par", b"\\u-1", b"\\bin9999999999",
    b"{\\*", b"\\'zz", b"endstream", b"/FlateDecode", b"/Kids [2 0 R]", b"9999999999 0 R", b"/Length -1", b"startxref",
    b"/Encrypt", b"<w:p>", b"<w:t>", b"w:val", b"PK\x03\x04", b"<text:note>" * 1200,
)  # fmt: skip


def _members(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written(members: Members, rng: Random) -> bytes:
    """An archive with right checksums, in one of the ways to pack."""
    out = io.BytesIO()
    method = rng.choice((zipfile.ZIP_DEFLATED,) * 5 + (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return out.getvalue()


class Drawing(Bytes):
    """Documents with their kind in front: edited in the files of their archives, or as bytes.

    Args:
        whole: Kind -> a document that is one piece.
        archives: Kind -> the files of one that is an archive.
    """

    def __init__(self, whole: Mapping[str, bytes], archives: Mapping[str, Members]) -> None:
        self._whole, self._archives = whole, archives
        self._kinds = [*whole, *archives]
        super().__init__([*whole.values(), *(file for files in archives.values() for file in files.values())], _WORDS)

    def __call__(self, rng: Random) -> bytes:
        """One of them."""
        kind = rng.choice(self._kinds)
        data = self.edited(rng, self._whole[kind]) if kind in self._whole else self._archive(rng, self._archives[kind])
        return kind.encode() + b"\n" + data

    def changed(self, rng: Random, data: bytes) -> bytes:
        """One after some edits; of its bytes, for who is guided by coverage."""
        kind, _, rest = data.partition(b"\n")
        return kind + b"\n" + self.edited(rng, rest)

    def _archive(self, rng: Random, files: Members) -> bytes:
        made = dict(files)
        for _ in range(rng.randrange(1, 3)):
            name = rng.choice(list(made))
            match rng.randrange(12):
                case 0 if len(made) > 1:
                    del made[name]
                case 1:
                    made[name + rng.choice(("", "/", " ", "\u202e", "../x"))] = self.piece(rng)
                case _:
                    made[name] = self.edited(rng, made[name])
        packed = _written(made, rng)
        return self.edited(rng, packed) if rng.random() < 0.2 else packed


_BOOK: Members = {
    "META-INF/container.xml": _CONTAINER, "OPS/book.opf": _PACKAGE, "OPS/one.xhtml": _PAGE, "OPS/two .xhtml": _PAGE,
}  # fmt: skip


class Ours(Target):
    """OpenDocument, e-books and web pages, by the child's own code."""

    name = "markups"
    share = 10
    expected = (ToolError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Drawing({"html": _PAGE}, {"odt": {"content.xml": _OPEN}, "epub": _BOOK}))

    def run(self, data: bytes) -> None:
        """Headings and texts that can be passed on, or what is wrong."""
        kind, _, rest = data.partition(b"\n")
        if kind == b"odt":
            parts = zipped.open_document(rest)
        elif kind == b"epub":
            parts = zipped.book(rest)
        else:
            parts = markup.parts(rest.decode("utf-8", "replace"))
        for words in (words for part in parts for words in part):
            words.encode()
            assert not {"\0", "\r", "\x1b"} & set(words)


class Warm(Launcher):
    """Starts a zygote that has the libraries of documents loaded: most of a child's time is their import otherwise."""

    def _command(self, control: int) -> list[str]:
        python = super()._command(control)
        specs = (importlib.util.find_spec(name.partition(".")[0]) for name in warm.LIBRARIES)
        packages = {str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin}
        own = [warm.__file__, str(control), sdk.__file__, str(Path(zygote.__file__).parent), os.pathsep.join(packages)]
        return [*python[: python.index(zygote.__file__)], *own]


class Papers(Target):
    """All kinds of documents through the kernel's end, each in a confined child: what its parser does there is nobody's trouble."""

    name = "documents"
    share = 4

    def __init__(self, folder: Path) -> None:
        whole = {"pdf": paper.pdf(_PAGES), "rtf": _RTF, "html": _PAGE}
        word = _members(paper.docx("# Pressure\n\nRefill through the blue tap.\n\n# Codes\n\nF28."))
        draw = Drawing(whole, {"docx": word, "odt": {"content.xml": _OPEN}, "epub": _BOOK})
        super().__init__(folder, draw)
        self._runner = asyncio.Runner()
        self._launcher = Warm()
        self._documents = Documents(self._launcher)
        self.run(b"html\n" + _PAGE)  # the zygote is there before this process is bounded

    def run(self, data: bytes) -> None:
        """A document with its parts, or why it can't be read."""
        kind, _, rest = data.partition(b"\n")
        path = self.folder / f"paper.{kind.decode('ascii', 'replace')[:5]}"
        path.write_bytes(rest)
        try:
            found = self._runner.run(self._documents.read(Place(self.folder, (path.name,)), seconds=2))
        except SyscallError as error:
            assert error.code in ("EILSEQ", "ETIMEDOUT", "E2BIG"), error
            assert error.remedy or error.code == "EILSEQ"
            raise
        finally:
            path.unlink()
        assert found.parts
        assert sum(len(part.text) for part in found.parts) < 2 * CHARACTERS
        found.text.encode()

    def close(self) -> None:
        """End the zygote."""
        self._runner.run(self._launcher.close())
        self._runner.close()


TARGETS: tuple[type[Target], ...] = (Ours, Papers)
