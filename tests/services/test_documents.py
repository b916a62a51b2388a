"""Documents: what they say is read, shown, summarized and found; hostile ones hurt nobody but themselves."""

import io
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from files_desk import Desk, open_desk

from benchmarks.answers import paper
from llmasos.core.kernel.sandbox import Launcher
from llmasos.services.files.documents import Documents, reader
from tests.core.kernel.launchers import CONFINES

pytestmark = pytest.mark.skipif(not CONFINES, reason="this machine can't confine the readers of documents")

PAGES = ["Rental contract\n\nThe rent is 840 euros.", "Notice\n\nThree months, in wri-\nting (by letter)."]
WORD = "# Pressure\n\nRefill through the blue tap.\n\n# Codes\n\nF28 means no ignition."
RTF = rb"{\rtf1\ansi {\b Packing list}\par Two towels and a caf\'e9 map.\par}"
HTML = "<html><head><title>x</title><style>p{}</style></head><body><h1>Booking</h1><p>Seats 41&nbsp;and 42.</p><script>alert(1)</script></body></html>"
OPEN = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
    "<text:h>Garden</text:h><text:p>Beans<text:s/>by the <text:span>wall</text:span>.</text:p>"
    "</office:text></office:body></office:document-content>"
)
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="one.xhtml"/><item id="b" href="two%20.xhtml"/>'
    '</manifest><spine><itemref idref="b"/><itemref idref="a"/><itemref idref="missing"/></spine></package>'
)


def archive(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


BOOK = archive(
    **{
        "META-INF__container_dot_xml": CONTAINER,
        "OPS__book_dot_opf": PACKAGE,
        "OPS__one_dot_xhtml": "<h2>End</h2><p>They sailed home.</p>",
        "OPS__two _dot_xhtml": "<h2>Start</h2><p>A ship was late.</p>",
    }
)
DOCUMENTS = {
    "contract.pdf": (paper.pdf(PAGES), ["840 euros", "in writing (by letter)"]),
    "manual.docx": (paper.docx(WORD), ["# Codes\n\nF28 means no ignition."]),
    "garden.odt": (archive(content_dot_xml=OPEN), ["# Garden\n\nBeans by the wall."]),
    "list.rtf": (RTF, ["Two towels and a café map."]),
    "story.epub": (BOOK, ["# Start\n\nA ship was late.\n\n# End\n\nThey sailed home."]),
}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    launcher = Launcher()
    with open_desk(tmp_path, documents=Documents(launcher)) as desk:
        yield desk
    await launcher.close()


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_is_read_as_text(desk: Desk, name: str) -> None:
    data, says = DOCUMENTS[name]
    desk.put(f"我的 papers/{name}", data)
    value = await desk.ok("files.read", path=f"我的 papers/{name}")
    assert all(words in value["text"] for words in says), value["text"]
    assert (value["source"], value["ref"]) == ("file", f"我的 papers/{name}")
    assert reader.KINDS[name.rpartition(".")[2]] in value["note"]


async def test_a_page_is_named_by_its_number(desk: Desk) -> None:
    desk.put("a.pdf", paper.pdf(PAGES))
    text = (await desk.ok("files.read", path="a.pdf"))["text"]
    assert text.index("[page 1]") < text.index("840") < text.index("[page 2]") < text.index("Three months")


async def test_words_inside_are_found_and_kept_sealed(desk: Desk) -> None:
    desk.put("a.pdf", paper.pdf(PAGES))
    desk.put("b.docx", paper.docx(WORD))
    desk.put("page.html", HTML)
    assert await desk.refs("files.find", query="euros") == ["a.pdf"]
    assert await desk.refs("files.find", query="ignition") == ["b.docx"]
    assert await desk.refs("files.find", query="seats") == ["page.html"]
    assert await desk.refs("files.find", query="alert") == []
    held = b"".join(p.read_bytes() for p in desk.home.rglob("*") if p.is_file())
    assert b"840 euros" not in held


async def test_it_is_read_once_while_it_stays_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = desk.put("a.pdf", paper.pdf(PAGES), age=100)
    first = await desk.ok("files.read", path="a.pdf")

    async def never(*_: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(Documents, "read", never)
        assert await desk.ok("files.read", path="a.pdf") == first
    file.write_bytes(paper.pdf(["Another one."]))
    assert "Another one." in (await desk.ok("files.read", path="a.pdf"))["text"]


async def test_a_document_is_summarized(desk: Desk) -> None:
    desk.put("manual.docx", paper.docx(WORD))
    value = await desk.ok("files.summarize", path="manual.docx")
    assert "blue tap" in value["text"] and value["source"] == "file"


async def test_a_web_page_is_shown_as_it_is_and_summarized_as_text(desk: Desk) -> None:
    desk.put("page.html", HTML)
    assert (await desk.ok("files.read", path="page.html"))["text"] == HTML
    assert (await desk.ok("files.summarize", path="page.html"))["text"] == "Seats 41 and 42."


def bomb() -> bytes:
    """A page whose content unpacks to a gigabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(1 << 10)) + packer.flush()
    return paper.assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
        ]
    )


LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 20}">' for n in range(9))
    + "]><office:x xmlns:office='o'>&j;</office:x>"
)
LOOP = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9999999 >>"]
HOSTILE = {
    "bomb.pdf": (bomb, "made to break its reader|no text"),
    "loop.pdf": (lambda: paper.assembled(LOOP), "can't be read as a PDF document|no text"),
    "cut.pdf": (lambda: paper.pdf(PAGES)[:200], "can't be read as a PDF document|no text"),
    "locked.pdf": (
        lambda: paper.assembled(
            LOOP,
            "/Encrypt << /Filter /Standard /V 1 /R 2 /O <"
            + "00" * 32
            + "> /U <"
            + "00" * 32
            + "> /P -4 >> /ID [<00> <00>]",
        ),
        "locked with a password",
    ),
    "renamed.pdf": (lambda: b"MZ\x90\x00 a program", "isn't one inside"),
    "empty.pdf": (lambda: b"", "is empty"),
    "bomb.docx": (lambda: archive(word__document_dot_xml=" " * (200 << 20)), "would unpack to 200 MB"),
    "cut.docx": (lambda: paper.docx(WORD)[:300], "isn't a whole archive"),
    "other.docx": (lambda: archive(hello_dot_txt="x"), "can't be read as a Word document"),
    "laughs.odt": (lambda: archive(content_dot_xml=LAUGHS), "can't be read as an OpenDocument text"),
    "nothing.odt": (lambda: archive(other_dot_xml="<x/>"), "content.xml can't be read"),
    "out.epub": (
        lambda: archive(**{"META-INF__container_dot_xml": CONTAINER.replace("OPS/book.opf", "../../etc/passwd")}),
        "passwd can't be read",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_documents_are_refused_in_words(desk: Desk, name: str) -> None:
    make, said = HOSTILE[name]
    desk.put(name, make())
    desk.put("other.txt", "still here")
    result = await desk.do("files.read", path=name)
    assert result.error == "EILSEQ", result
    assert any(words in result.message for words in said.split("|")), result.message
    assert await desk.refs("files.find", query="still here") == ["other.txt"]


async def test_one_that_hangs_its_reader_is_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_SLOWEST", 1.0)
    desk.put("slow.pdf", paper.pdf(["word\n" * 400_000]))
    result = await desk.do("files.read", path="slow.pdf")
    assert (result.error, "it takes too long" in result.message) == ("ETIMEDOUT", True), result
    desk.put("a.pdf", paper.pdf(PAGES))
    assert "840" in (await desk.ok("files.read", path="a.pdf"))["text"]


async def test_a_large_one_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LARGEST", 1_000)
    desk.put("a.pdf", paper.pdf(["x" * 2_000]))
    assert await desk.error("files.read", path="a.pdf") == "E2BIG"


async def test_the_child_cant_reach_anything_else(desk: Desk) -> None:
    """The reader's process is a plugin's: no file but Python's and the library's."""
    granted = reader._granted("pdf")
    assert [name for name, _ in granted.names] == ["pypdf"]
    assert granted.write == ()
    assert reader._granted("html").read == ()


async def test_without_confinement_nothing_is_read(tmp_path: Path) -> None:
    class Nowhere(Launcher):
        def start(self) -> None:
            self._hindrance = "There is nothing to confine with."

    with open_desk(tmp_path, documents=Documents(Nowhere())) as desk:
        desk.put("a.pdf", paper.pdf(PAGES))
        result = await desk.do("files.read", path="a.pdf")
        assert result.error == "EAGAIN"
        assert "nothing to confine with" in result.message
        assert await desk.refs("files.find", query="contract") == []


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.odt", archive(content_dot_xml="<a"), "content.xml is no XML"),
        ("b.odt", archive(content_dot_xml="<?xml version='1.0' encoding='klingon'?><a/>"), "content.xml is no XML"),
        ("c.odt", archive(content_dot_xml="<?xml version='1.0' encoding='utf-7'?><a/>"), "content.xml is no XML"),
        (
            "d.odt",
            archive(content_dot_xml=OPEN.replace("<text:span>", "<text:span>" * 999).replace("</text:span>", "</text:span>" * 999)),
            "nested too deeply",
        ),
        ("e.epub", archive(**{"META-INF__container_dot_xml": CONTAINER, "OPS__book_dot_opf": "<"}), "OPS/book.opf is no XML"),
        ("g.odt", archive(content_dot_xml=OPEN).replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"), "whole archive"),
        ("f.odt", archive(content_dot_xml=OPEN).replace(b"\x08\x00", b"\x0e\x00"), "content.xml can't be read"),
    ],
)  # fmt: skip
async def test_what_is_damaged_says_where(desk: Desk, name: str, data: bytes, why: str) -> None:
    """Found by fuzzing: each of these ended the reader with an error of the standard library's."""
    desk.put(name, data)
    result = await desk.do("files.read", path=name)
    assert result.error == "EILSEQ" and why in result.message, result.message


async def test_a_page_that_names_a_character_by_too_many_digits_is_refused(desk: Desk) -> None:
    desk.put("page.html", f"<p>one &#{'9' * 5000}; two</p>")
    result = await desk.do("files.summarize", path="page.html")
    assert result.error == "EILSEQ" and "made to break its reader" in result.message
