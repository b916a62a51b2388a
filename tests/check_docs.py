"""Docs can't drift: `python -m tests.check_docs` compares them with the live system; `--write` writes what is generated."""

from __future__ import annotations

import argparse
import re
import sys
from itertools import groupby
from pathlib import Path

from llmasos.services.system import manual
from tests.catalogue import broken_promises, live_rows

ROOT = Path(__file__).parents[1]
SYSCALLS = Path("docs/syscalls.md")
PAGES = ("*.md", "docs/**/*.md", "training/*.md", "benchmarks/*.md")

HEAD = """\
# Syscalls

What can be said, and what it does. Generated from the live table by `python -m tests.check_docs --write`; the same text is
shown by `system.help NAME`. A value is what you said, word for word; what isn't said is left out.

Effects: *read* changes nothing. *write* and *destroy* can be undone. *final* can't, so it always asks. *external* acts outside
the machine's own state and asks too; a device can be set back.

A call can be written out. Its values go to the required arguments in order, and the last of these takes all the words that are left:
`files.read my tax notes.md`. What is optional is named, `files.list path=notes`, or stands behind in quotes, in its order:
`character.create Edda "quiet, proud"`.
"""

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def syscalls_page() -> str:
    """docs/syscalls.md as it should be: a heading for each room, in the table's order, and a manual for each syscall."""
    rows = list(live_rows().values())
    rooms = list(dict.fromkeys(_room(row.name) for row in rows))
    rows.sort(key=lambda row: rooms.index(_room(row.name)))
    parts = [HEAD]
    for room, members in groupby(rows, key=lambda row: _room(row.name)):
        parts.append(f"## {room}\n")
        parts += map(manual, members)
    return "\n".join(parts)


def stale_page(root: Path = ROOT) -> list[str]:
    """Whether the generated page is the one on disk."""
    page = root / SYSCALLS
    if not page.is_file():
        return [f"{SYSCALLS} is missing. Write it with: python -m tests.check_docs --write"]
    if page.read_text(encoding="utf-8") != syscalls_page():
        return [f"{SYSCALLS} isn't what the live table says. Write it anew with: python -m tests.check_docs --write"]
    return []


def dead_links(root: Path = ROOT) -> list[str]:
    """Relative links of the README and the docs that lead nowhere, anchors included."""
    dead = []
    for page in sorted({page for pattern in PAGES for page in root.glob(pattern)}):
        words = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
        for target in _LINK.findall(words):
            if re.match(r"[a-z][a-z+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            where = f"{page.relative_to(root)} links to {target}"
            if not file.exists():
                dead.append(f"{where}, which isn't there.")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                dead.append(f"{where}, which has no such heading.")
    return dead


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    plain = _FENCE.sub("", page)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(plain)}


def main() -> int:
    """Check, or write."""
    parser = argparse.ArgumentParser(description="Compare the docs with the live system.")
    parser.add_argument("--write", action="store_true", help="write docs/syscalls.md")
    if parser.parse_args().write:
        (ROOT / SYSCALLS).write_text(syscalls_page(), encoding="utf-8")
        print(f"wrote {SYSCALLS}")
    wrong = [*stale_page(), *dead_links(), *broken_promises()]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"docs: {len(live_rows())} syscalls, {len(wrong)} problems")
    return 1 if wrong else 0


def _room(name: str) -> str:
    return name.partition(".")[0]


if __name__ == "__main__":
    sys.exit(main())
