"""Files of others: manifests of plugins and apps, policies, settings, character cards, pictures, calendars."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
import threading
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.foreign import parse_json
from llmasos.core.base.paths import shipped
from llmasos.core.base.settings import FILE, Settings
from llmasos.core.kernel.policy.file import examine
from llmasos.core.kernel.policy.file import read as read_policy
from llmasos.core.kernel.sandbox import manifest
from llmasos.core.kernel.sandbox.capabilities import Capabilities
from llmasos.services.calendars import reading, writing
from llmasos.services.characters import charx, png, worldinfo
from llmasos.services.characters.card import Card
from llmasos.services.characters.events import Event as Said
from llmasos.services.characters.prompt import Company, compile_prompt
from llmasos.services.schedule.event import Event

_CALENDARS = Path(__file__).resolve().parents[3] / "tests" / "services" / "ics"
NOW = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


class Manifests(Target):
    """plugin.toml and app.toml."""

    name = "manifests"
    share = 20

    def __init__(self, folder: Path) -> None:
        seeds = [path.read_bytes() for kind in ("plugins", "apps") for path in shipped(kind).glob("*/*.toml")]  # type: ignore[arg-type]
        seeds.append(
            b'name = "web-fetch"\nversion = "1.2.3"\ndescription = "Fetches"\nauthor = "A"\nlicense = "MIT"\n'
            b'isolation = "single_use"\n\n[capabilities]\nhosts = ["api.example.org", "*.example.org:8443",'
            b' "local:http://10.0.0.7"]\nsyscalls = ["memory.recall", "room.*"]\npaths.read = ["~/Music", "notes"]\n'
            b'paths.write = ["exports"]\nmemory = 1024\n'
        )
        words = [
            b"[capabilities]",
            b"[[capabilities]]",
            b"[capabilities.paths]",
            b'"""',
            b"= {}",
            b"= []",
            b"1979-05-27",
        ]
        super().__init__(folder, Bytes(seeds, words))
        for kind in ("plugin", "app"):
            (folder / f"{kind}.py").touch()

    def run(self, data: bytes) -> None:
        """A plugin, or all that is wrong with it."""
        kind: manifest.Kind = "app" if len(data) % 2 else "plugin"
        (self.folder / f"{kind}.toml").write_bytes(data)
        wrong = manifest.faults(self.folder, kind)
        assert all(str(one) for one in wrong)
        plugin = manifest.read(self.folder, kind)
        assert not wrong
        assert Capabilities.from_json(json.loads(json.dumps(plugin.asks.to_json()))) == plugin.asks
        str(plugin.asks), plugin.asks.granted_hosts, plugin.subject, plugin.source


class Policies(Target):
    """Policy files, and their rules against calls."""

    name = "policies"
    share = 6

    def __init__(self, folder: Path) -> None:
        seeds = [path.read_bytes() for path in shipped("policies").glob("*.toml")]
        seeds.append(
            b'name = "mine"\nmoderation = "strict"\n[[rule]]\nid = "a"\nsubject = ["character:*", "app:social"]\n'
            b'syscall = ["files.*"]\neffect = ["write"]\nargs = { path = ["private/*", "*.key"], to = "x" }\n'
            b'labels = ["web", "plugin:*"]\nrate = "10/minute"\nbudget = { calls = 5, seconds = 60 }\ndecision = "deny"\ndescription = "d"\n'
        )
        super().__init__(
            folder,
            Bytes(
                seeds, [b"[[rule]]", b"rate = ", b"budget = { calls = ", b"args.", b"[!", b"[a-", b"**", b'"10/day"']
            ),
        )

    def run(self, data: bytes) -> None:
        """Rules, or the mistakes with their lines."""
        path = self.folder / "mine.toml"
        path.write_bytes(data)
        found = examine(path, "user")
        assert all(mistake.what and mistake.remedy for mistake in found.mistakes)
        for rule in found.rules[:50]:
            args = {"path": "private/a", "to": "x", "name": data[:40].decode("latin-1")}
            said = ("character:abc", "files.write", "write", args, frozenset({"web"}))
            assert rule.matches(*said) == (rule.why_not(*said) == "")
        read_policy(path, "user")


class Kept(Target):
    """settings.toml, and variables of the environment with the same values."""

    name = "settings"
    share = 15

    def __init__(self, folder: Path) -> None:
        seeds = [
            b'workspace = "~/work"\nmodel = "smollm2"\nthreads = 2\nscheduler = "fair"\npolicy = "default"\n',
            b'keep_history = 100\nkeep_trash = 0\nremember = false\nyes = "no"\nrecord = true\nseed = -1\n',
            b'# Written by hand\nopenai_key_file = "/nowhere"\naudit_anchor = "~/a"\nswap_memory = 128\nowner = "ada"\n',
        ]
        super().__init__(folder, Bytes(seeds, [b"unconfined_plugins = ", b"quantization = ", b'"yes"', b"[a.b]"]))

    def run(self, data: bytes) -> None:
        """Settings, or what is wrong and where it stands."""
        (self.folder / FILE).write_bytes(data)
        lines = [line.partition("=") for line in data.decode("utf-8", "replace").splitlines()[:20] if "\0" not in line]
        said = {f"LLMASOS_{name.strip().upper()}": value.strip().strip('"') for name, _, value in lines}
        Settings.load({name: value for name, value in said.items() if name != "LLMASOS_HOME"}, home=self.folder)


def cards() -> list[Any]:
    """Cards of all versions."""
    data = {
        "name": "Mira", "description": "{{char}} keeps a lighthouse. {{// not said }}", "personality": "dry, patient",
        "scenario": "{{user}} comes in from the rain.", "first_mes": "Shut the door.", "mes_example": "<START>\n<USER>: Hi",
        "creator_notes": "", "system_prompt": "{{original}} Be brief.", "post_history_instructions": "",
        "alternate_greetings": ["Oh."], "tags": ["sea"], "creator": "somebody", "character_version": "1.1",
        "extensions": {"talkativeness": "0.7", "llmasos": {"role": "keeper", "language": "English"}},
        "character_book": {"entries": [{"keys": ["sea"], "content": "Salt.", "enabled": True, "insertion_order": 1}]},
    }  # fmt: skip
    three = {**data, "nickname": "Mi", "creator_notes_multilingual": {"de": "x"}, "source": [], "group_only_greetings": [],
             "assets": [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}], "creation_date": 1}  # fmt: skip
    return [
        {"spec": "chara_card_v2", "spec_version": "2.0", "data": data},
        {"spec": "chara_card_v3", "spec_version": "3.0", "data": three, "beside": [1]},
        {key: data[key] for key in ("name", "description", "personality", "scenario", "first_mes", "mes_example")},
        {"data": {"name": "阿岚", "personality": "温柔", "description": "住在海边"}},
    ]


def storable(value: Any) -> None:
    """Hold a value to what the store takes: JSON without NaN."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def use(card: Card) -> None:
    """All that is done with a card that was taken: kept, shown, changed, talked as, written out."""
    kept = card.to_json()
    storable(kept)
    assert Card.from_json(json.loads(json.dumps(kept))).to_json() == kept or _has_nan(kept)
    card.to_text().encode()
    assert 0 <= card.talkativeness <= 1
    for chinese in (False, True):
        company = Company("1", "Ada", {"1": card.name})
        heard = [_heard("你好" if chinese else "What's your name?")]
        compile_prompt(card, company, [], [], heard, guided=chinese)
    card.renamed("Other").to_json()
    changed = card.changed(personality="kind", role="cook")
    assert changed is None or changed.role == "cook"


def _has_nan(value: Any) -> bool:
    return any(word in json.dumps(value) for word in ("NaN", "Infinity"))


def _heard(text: str) -> Said:
    return Said(1, "2026-11-27T10:00:00", "Ada", text, frozenset(("1", "Ada")))


class Cards(Target):
    """Character cards as JSON, V1 to V3."""

    name = "cards"
    share = 40

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Json(cards(), ("spec", "data", "extensions", "talkativeness", "nickname", "llmasos")))

    def run(self, data: bytes) -> None:
        """A card that can be kept and given back, or a refusal."""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # told by who reads the file
            return
        use(Card.from_text(text))


class Pictures(Target):
    """Character cards in PNG pictures, with right checksums and wrong ones."""

    name = "pictures"
    share = 90

    def __init__(self, folder: Path) -> None:
        self._json = Json(cards())
        whole = png.write(Card.from_json(cards()[1]))
        self._bytes = Bytes([whole, png.write(Card.make("Zed", personality="x"), whole)])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """A picture that was changed as bytes, or made of parts that each may be odd."""
        if rng.random() < 0.3:
            return self._bytes(rng)
        parts = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))]
        for _ in range(rng.randrange(1, 4)):
            text = self._json(rng)
            packed = base64.b64encode(text) if rng.random() < 0.9 else text
            key = rng.choice((b"ccv3", b"chara", b"Chara", b"comment", b""))
            match rng.randrange(4):
                case 0:
                    body = (b"zTXt", key + b"\0\0" + zlib.compress(packed))
                case 1:
                    body = (b"iTXt", key + b"\0\1\0en\0\0" + zlib.compress(packed))
                case 2:
                    body = (b"iTXt", key + b"\0\0\0\0\0" + packed)
                case _:
                    body = (b"tEXt", key + b"\0" + packed)
            if rng.random() < 0.15:
                body = (body[0], self._bytes.edited(rng, body[1]))
            parts.append(body)
        parts.append((b"IDAT", zlib.compress(b"\0\x80")))
        if rng.random() < 0.9:
            parts.append((b"IEND", b""))
        out = png.SIGNATURE
        for kind, content in parts:
            right = zlib.crc32(kind + content) ^ (rng.random() < 0.03)
            size = len(content) if rng.random() < 0.98 else rng.getrandbits(32)
            out += struct.pack(">I", size) + kind + content + struct.pack(">I", right)
        return out

    def run(self, data: bytes) -> None:
        """The card that is in it, which can be put into it again."""
        card = png.read(data)
        bare = png.portrait(data)
        assert not bare or png.portrait(png.write(card, bare)) == bare
        assert png.read(png.write(card, data)).to_json() == card.to_json() or _has_nan(card.to_json())


class Archives(Target):
    """Character cards in CHARX archives, changed as bytes or made of odd files."""

    name = "archives"
    share = 20

    def __init__(self, folder: Path) -> None:
        self._json = Json(cards())
        seeds = [packed({"card.json": json.dumps(card).encode(), "assets/main.png": b"x" * 90}) for card in cards()]
        self._bytes = Bytes(seeds, [b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"card.json", b"../"])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """An archive that was changed as bytes, or whole and with an odd card."""
        if rng.random() < 0.6:
            return self._bytes(rng)
        name = "card.json" if rng.random() < 0.9 else rng.choice(("../card.json", "CARD.JSON", "card.json/"))
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
        return packed({name: self._json(rng), "../../a": b""}, method)

    def run(self, data: bytes) -> None:
        """The card that is in it."""
        found = charx.read(io.BytesIO(data))
        use(found.card)
        assert found.note.isprintable()


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return data.getvalue()


class Books(Target):
    """Lorebooks that are files of their own."""

    name = "books"
    share = 20
    expected = (LlmasosError, ValueError)

    def __init__(self, folder: Path) -> None:
        entry = {"keys": ["sea", "/sal+t/i"], "content": "@@scan_depth 2\nSalt.", "enabled": True, "insertion_order": 1}
        seeds = [
            {"entries": {"0": {"uid": 0, "key": ["sea"], "keysecondary": ["salt"], "selective": True, "content": "Salt.",
                               "order": 1, "position": 0, "disable": False, "scanDepth": 2, "caseSensitive": None}}},
            {"spec": "lorebook_v3", "data": {"scan_depth": 4, "token_budget": 90, "entries": [entry, {**entry, "id": 4}]}},
            {"entries": [entry], "recursive_scanning": True, "extensions": {}},
        ]  # fmt: skip
        super().__init__(
            folder, Json(seeds, ("entries", "key", "keys", "uid", "content", "extensions", "data", "spec"))
        )

    def run(self, data: bytes) -> None:
        """A book that a character can have, alone or behind its own, and what it says of a line."""
        raw = parse_json(data)
        if not worldinfo.is_book(raw):
            raise ValueError("a card, perhaps")
        book = worldinfo.read(raw)
        for own in cards():
            card, _ = Card.from_json(own).with_book(book)
            if card is not None:
                storable(card.to_json())
                assert card.with_book(book) == (None, 0)
                card.book.told(["The sea is salt."], 3, {}, seed="x")


class Calendars(Target):
    """iCalendar files: read, followed, written, read again."""

    name = "calendars"
    share = 1

    def __init__(self, folder: Path) -> None:
        seeds = [path.read_bytes() for path in sorted(_CALENDARS.glob("*.ics"))]
        words = [
            b"RRULE:FREQ=DAILY;INTERVAL=1", b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", b"BYSETPOS=-1", b"COUNT=1000",
            b"UNTIL=20261231T235959Z", b"DTSTART;TZID=Europe/Berlin:20261127T103000", b"EXDATE", b"RDATE;VALUE=PERIOD:",
            b"RECURRENCE-ID", b"DURATION:P1W", b"DURATION:-PT99999999M", b"TRIGGER;RELATED=END:-P366D", b"BEGIN:VEVENT",
            b"END:VEVENT", b"BEGIN:VALARM", b"BEGIN:VTIMEZONE", b"TZOFFSETTO:+2359", b"TZOFFSETFROM:-2359", b"16000101",
            b"99991231T235959", b"00010101T000000", b"BYDAY=-5FR,2MO", b"FREQ=SECONDLY", b"X-WR-TIMEZONE", b"METHOD:CANCEL",
            b"DTSTART;VALUE=DATE:20240229", b"TZID=UTC+14:59", b"TZID=GMT-23:59", b"WKST=SU", b"STATUS:CANCELLED",
        ]  # fmt: skip
        super().__init__(folder, Bytes(seeds, words))

    def run(self, data: bytes) -> None:
        """Events that have their next times, can be kept, and can be written so that they are read again."""
        found = reading.read([data], BERLIN, NOW, threading.Event())
        events = [entry.event for entry in found.entries]
        for event in events[:40]:
            storable(event.to_json())
            assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event
            times = event.occurrences(NOW)
            for _ in range(3):
                with contextlib.suppress(StopIteration):
                    assert next(times).tzinfo is not None
            event.shown()
        text = writing.calendar(events[:40], {}, NOW)
        again = reading.read([text.encode("utf-8", "replace")], BERLIN, NOW, threading.Event())
        assert len(again.entries) == len({event.id for event in events[:40]})


TARGETS: tuple[type[Target], ...] = (Manifests, Policies, Kept, Cards, Pictures, Archives, Books, Calendars)
