"""HTML as text: what would be read aloud, a part for each heading."""

from __future__ import annotations

from html.parser import HTMLParser

from llmasos.sdk import ToolError

from .clean import clean

_SILENT = frozenset({"script", "style", "template", "noscript", "svg", "math", "title", "head"})
_BLOCKS = frozenset(
    """address article aside blockquote br caption dd div dl dt figcaption figure footer form header hr li main nav ol
    p pre section table tbody tfoot thead tr ul""".split()  # noqa: SIM905
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CELLS = frozenset({"td", "th"})


def parts(html: str) -> list[tuple[str, str]]:
    """Each heading with the text below it; text before the first has none.

    Raises:
        ToolError: It holds a character's number that is too long to be one.
    """
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except ValueError:  # Python counts no digits beyond 4,300
        raise ToolError("It is damaged, or made to break its reader: it names a character that there isn't.") from None
    return reader.finished()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[tuple[str, str]] = []
        self._heading = ""
        self._said: list[str] = []
        self._silent = 0
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _HEADINGS:
            self._close()
            self._in_heading = True
        elif tag == "li":
            self._said.append("\n- ")
        elif tag in _CELLS:
            self._said.append(" ")
        elif tag in _BLOCKS:
            self._said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _HEADINGS and self._in_heading:
            self._in_heading = False
            self._heading, self._said = clean(" ".join("".join(self._said).split())), []
        elif tag == "p":
            self._said.append("\n\n")
        elif tag in _BLOCKS:
            self._said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._said.append(data)

    def finished(self) -> list[tuple[str, str]]:
        """All parts; what stands in the end too."""
        self._close()
        return self._parts

    def _close(self) -> None:
        text = clean("".join(self._said))
        if text or self._heading:
            self._parts.append((self._heading, text))
        self._heading, self._said = "", []
