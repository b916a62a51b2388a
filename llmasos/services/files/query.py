"""What is looked for: the words that count, and the kind of file where it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmasos.services.files.said import loose

_CJK = r"\u3400-\u9fff\uf900-\ufaff"
_TERM = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_STOP_WORDS = """
a about all an and any are at by called containing did do document documents file files find folder for
from had has have i in is it me mention mentioning mentions my named of on one or our says show some
something stuff that the their there this to was were where which with written
"""
_STOP = frozenset(_STOP_WORDS.split())
_CHINESE_STOP = re.compile(
    r"关于|有关|所有的?|全部|那个|这个|那份|这份|我的|文件夹|文件|文档|名为|叫做|包含|提到|里面|的|了|和"
)

_PICTURES = ("jpg", "jpeg", "png", "gif", "webp", "heic", "bmp", "svg", "tif", "tiff")
_FILMS = ("mp4", "mov", "mkv", "avi", "webm", "m4v")
_MUSIC = ("mp3", "flac", "ogg", "wav", "m4a", "aac", "opus")
_SHEETS = ("xlsx", "xls", "ods", "csv", "tsv")
_SLIDES = ("pptx", "ppt", "odp")
_WRITTEN = ("docx", "doc", "odt", "rtf")
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("pdf", "pdfs"), ("pdf",)),
    **dict.fromkeys(("picture", "pictures", "photo", "photos", "image", "images", "图片", "照片", "相片"), _PICTURES),
    **dict.fromkeys(("video", "videos", "film", "films", "movie", "movies", "视频", "电影"), _FILMS),
    **dict.fromkeys(("song", "songs", "music", "recording", "recordings", "音乐", "歌曲", "录音"), _MUSIC),
    **dict.fromkeys(("spreadsheet", "spreadsheets", "表格", "电子表格"), _SHEETS),
    **dict.fromkeys(("presentation", "presentations", "slides", "幻灯片", "演示文稿"), _SLIDES),
    **dict.fromkeys(("word", "docx", "doc"), _WRITTEN),
    **dict.fromkeys(("markdown",), ("md", "markdown")),
    **{
        e: (e,)
        for e in (
            "txt",
            "md",
            "csv",
            "json",
            "xlsx",
            "pptx",
            "jpg",
            "png",
            "mp3",
            "mp4",
            "html",
            "zip",
            "epub",
        )
    },
}
"""Words for a kind of file -> its extensions."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query, read.

    Attributes:
        said: As it was said.
        terms: Words in lower case; a run of Chinese characters is one term.
        extensions: What the file's extension should be; empty for any.
        kind_words: The words that told it.
    """

    said: str
    terms: tuple[str, ...]
    extensions: frozenset[str]
    kind_words: tuple[str, ...] = ()

    def literal(self) -> Query:
        """The same with words for a kind of file as words like others."""
        return Query(self.said, tuple(dict.fromkeys((*self.terms, *self.kind_words))), frozenset())

    @property
    def chinese(self) -> bool:
        """Whether it is said in Chinese."""
        return re.search(f"[{_CJK}]", self.said) is not None


def parse(said: str) -> Query:
    """Read a query. Where it is made of stop words only, they count after all."""
    found: list[str] = []
    kinds: list[str] = []
    for match in _TERM.finditer(loose(said)):
        term = match[0]
        if re.match(f"[{_CJK}]", term):
            for piece in _CHINESE_STOP.sub(" ", term).split():
                kind = next((k for k in KINDS if piece.endswith(k)), "")
                rest = piece[: -len(kind)] if kind else piece
                kinds += [kind] if kind else []
                found += [rest] if rest else []
        elif term in KINDS:
            kinds.append(term)
        elif term not in _STOP:
            found.append(term)
    extensions = frozenset(e for kind in kinds for e in KINDS[kind])
    if not found and not kinds:
        found = _TERM.findall(loose(said))
    return Query(said, tuple(dict.fromkeys(found)), extensions, tuple(kinds))


def tokens(name: str) -> list[str]:
    """The words of a name, extension included; runs of Chinese characters whole."""
    return _TERM.findall(loose(name))


def is_chinese(term: str) -> bool:
    """Whether a term is a run of Chinese characters."""
    return re.match(f"[{_CJK}]", term) is not None


def in_chinese(term: str, text: str) -> float:
    """How much of a Chinese term a text has: whole 1, else less than the share of its pairs of characters."""
    if term in text:
        return 1.0
    pairs = [term[i : i + 2] for i in range(len(term) - 1)]
    return 0.8 * sum(p in text for p in pairs) / len(pairs) if pairs else 0.0


def in_word(term: str, word: str) -> float:
    """How well a word of a name is a term: itself 1, another form a little less, its beginning less still."""
    if word == term:
        return 1.0
    if singular(word) == singular(term):
        return 0.95
    if len(term) >= 3 and word.startswith(term):
        return 0.8
    if len(word) >= 4 and term.startswith(word):
        return 0.6
    return 0.0


def singular(word: str) -> str:
    """A word without its plural's ending."""
    for end, rest in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", "")):
        if word.endswith(end) and len(word) > len(end) + 2 and not word.endswith("ss"):
            return word[: -len(end)] + rest
    return word
