"""What an honest plugin may want; each returns something, or raises."""

from __future__ import annotations

import pathlib
import tempfile as _tempfile


def json() -> object:
    import json

    return json.loads(json.dumps({"a": [1, 2.5, "ü"]}))


def regular_expressions() -> object:
    import re

    return re.findall(r"\w+", "one two")


def hashes() -> object:
    import hashlib

    return hashlib.sha256(b"x").hexdigest() + hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1).hex()


def compression() -> object:
    import bz2
    import lzma
    import zlib

    return [module.decompress(module.compress(b"x")) for module in (zlib, bz2, lzma)]


def encryption_library() -> object:
    import ssl

    return ssl.create_default_context()


def threads() -> object:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(len, ["a", "bb"]))


def event_loop() -> object:
    import asyncio

    async def main() -> list[str]:
        await asyncio.sleep(0)
        return await asyncio.gather(asyncio.to_thread(str, 1), asyncio.to_thread(str, 2))

    return asyncio.run(main())


def database_in_memory() -> object:
    import sqlite3

    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (a)")
        return database.execute("select count(*) from t").fetchone()


def time_zones() -> object:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return datetime.now(ZoneInfo("Asia/Shanghai")).utcoffset()


def local_time() -> object:
    import time

    return time.localtime()


def random_numbers() -> object:
    import random
    import secrets
    import uuid

    return random.random(), secrets.token_hex(), uuid.uuid4()


def exact_numbers() -> object:
    from decimal import Decimal
    from fractions import Fraction

    return Decimal("0.1") + 1, Fraction(1, 3)


def archives() -> object:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("a", "b")
        return archive.namelist()


def logging() -> object:
    import logging

    logging.warning("to nowhere")
    return "said"


def markup() -> object:
    from html.parser import HTMLParser
    from xml.etree import ElementTree

    return ElementTree.fromstring("<a/>").tag, HTMLParser()


def native_code() -> object:
    import ctypes

    return ctypes.CDLL(None).abs(-1)


def its_own_files() -> object:
    return len(pathlib.Path(__file__).read_text()), [path.name for path in pathlib.Path(__file__).parent.iterdir()]


def its_own_place() -> object:
    return pathlib.Path(__file__).resolve(), pathlib.Path.cwd()


def temporary_file_refused_politely() -> object:
    try:
        _tempfile.mkstemp()
    except OSError as error:
        return error
    raise AssertionError("it was made")


def subprocess_refused_politely() -> object:
    import subprocess

    try:
        subprocess.run(["true"])
    except OSError as error:
        return error
    raise AssertionError("it ran")


def network_refused_politely() -> object:
    import socket

    try:
        socket.create_connection(("127.0.0.1", 9))
    except PermissionError as error:
        return error
    raise AssertionError("it was tried")


def modes_copied() -> object:
    import shutil

    file = pathlib.Path(__file__)
    shutil.copystat(file, file)
    return "copied"
