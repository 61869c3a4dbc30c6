"""A text says the same, whatever a console, a shipper of logs or an editor has put around it."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from goalloc_cli.host.source import Source
from goalloc_cli.importers.allocfree.read import BEGUN
from goalloc_cli.importers.common.unwrap import LOOKED_AT, plainly, start_of, unwrapped
from goalloc_cli.importers.gctrace.read import is_gctrace, read_gctrace
from goalloc_cli.importers.memstats.read import read_memstats
from goalloc_cli.results.gctrace import GCTrace
from tests.importers.test_allocfree import SMALL, text_of, told
from tests.importers.test_memstats import DATA as INHAND
from tests.importers.test_memstats import plain
from tests.kit.root import DATA

GCTRACE = (DATA / "gctrace" / "sparse-go1.27.txt").read_text()


def each(of: Callable[[int, str], str]) -> Callable[[str], bytes]:
    """A wrapping of one line after the other; the line comes without its end."""
    return lambda text: "".join(of(n, line) for n, line in enumerate(text.splitlines())).encode()


def time(n: int) -> str:
    return f"2024-08-15T20:{n // 60 % 60:02}:{n % 60:02}.{n:09}Z"


def cri(n: int, line: str) -> str:
    """With every third line in two parts, as containerd writes long ones."""
    if n % 3 or len(line) < 4:
        return f"{time(n)} stderr F {line}\n"
    return f"{time(n)} stderr P {line[:3]}\n{time(n)} stderr F {line[3:]}\n"


def escaped(line: str) -> str:
    """As encoding/json of Go writes it: < and > as \\u003c and \\u003e."""
    return json.dumps(line).replace("<", "\\u003c").replace(">", "\\u003e")


WRAPPINGS: dict[str, Callable[[str], bytes]] = {
    "nothing": str.encode,
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "UTF-16": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-16 of the other order": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "journald": each(lambda n, line: f"Nov {n % 28 + 1:2} 20:{n % 60:02}:01 host-7 app[{70 + n % 3}]: {line}\n"),
    "journald's JSON": each(lambda n, line: json.dumps({"__CURSOR": "s=1", "MESSAGE": line, "PRIORITY": "6"}) + "\n"),
    "journald's bytes": each(lambda n, line: json.dumps({"MESSAGE": [*line.encode()]}) + "\n"),
    "syslog of RFC 5424": each(lambda n, line: f"<14>1 {time(n)} host app 77 - - {line}\n"),
    "CRI": each(cri),
    "Docker": each(lambda n, line: f'{{"log":{escaped(line + chr(10))},"stream":"stderr","time":"{time(n)}"}}\n'),
    "docker compose": each(lambda n, line: f"app-1  | {line}".rstrip(" ") + "\n"),
    "zap": each(lambda n, line: f'{{"level":"info","ts":{n}.5,"caller":"a.go:7","msg":{escaped(line)}}}\n'),
    "slog": each(lambda n, line: f'{{"time":"{time(n)}","level":"INFO","msg":{escaped(line)},"pid":7}}\n'),
    "zap in Docker": each(lambda n, line: json.dumps({"log": f'{{"level":"info","msg":{escaped(line)}}}\n'}) + "\n"),
    "Google's": each(lambda n, line: json.dumps({"insertId": "a", "textPayload": line + "\n"}) + "\n"),
    "the log package": each(lambda n, line: f"2024/08/15 20:00:{n % 60:02} {line}\n"),
    "klog": each(lambda n, line: f"I0815 20:00:{n % 60:02}.000123       1 main.go:{n}] {line}\n"),
    "kubectl --prefix": each(lambda n, line: f"[pod/app-7d9f/app] {line}\n"),
    "colours": each(lambda n, line: f"\x1b[3{n % 8}m{line}\x1b[0m\n"),
    "quotes": each(lambda n, line: f"> {line}\n"),
    "HTML": lambda text: html.escape(text, quote=False).encode(),
}


def found(data: bytes) -> GCTrace:
    source = Source("a.log", io.BufferedReader(io.BytesIO(data)), lambda: None, None, b"")  # type: ignore[type-var]
    return read_gctrace(source)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_gctrace_says_the_same_in_every_wrapping(wrapping: str) -> None:
    data = WRAPPINGS[wrapping](GCTRACE)
    assert is_gctrace(data[:LOOKED_AT])
    wrapped, bare = asdict(found(data)), asdict(found(GCTRACE.encode()))
    assert {**wrapped, "lines": 0} == {**bare, "lines": 0}
    assert wrapped["torn"] == 0


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_allocfreetrace_says_the_same_in_every_wrapping(wrapping: str) -> None:
    text = text_of(SMALL).decode()
    assert told(WRAPPINGS[wrapping](text)) == told(text)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_memstats_say_the_same_in_every_wrapping(wrapping: str) -> None:
    text = plain(INHAND / "live-go1.27.3-heap.txt.zst")
    data = WRAPPINGS[wrapping](text[text.index("# runtime.MemStats") :])
    read = [
        read_memstats(Source("a", io.BufferedReader(io.BytesIO(d)), lambda: None, None, b"")).last.values  # type: ignore[type-var]
        for d in (data, text.encode())
    ]
    assert read[0] == read[1]


def test_a_plain_text_goes_through_untouched() -> None:
    stream = io.BufferedReader(io.BytesIO(text_of(SMALL)))  # type: ignore[type-var]
    assert plainly(stream, BEGUN) is stream


def test_other_lines_between_are_left_as_they_are() -> None:
    text = b"app | tracegc()\nunrelated\napp | tracegc()\napp |\n"
    assert [*unwrapped(io.BytesIO(text), BEGUN)] == [b"tracegc()\n", b"unrelated\n", b"tracegc()\n", b"\n"]


def test_what_stands_in_front_of_one_line_alone_is_no_prefix() -> None:
    """The program's own text without an end of line."""
    text = b"loading... tracegc()\ngoroutine 1 [running]:\nmain.main()\n"
    assert start_of(text, BEGUN) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"' * 40_000,
        b'{"log":' + b"[" * 60_000 + b"}",
        b'{"log":"' + b"x" * 200_000,
        b"2024-08-15T20:00:00Z stderr P " * 9_000,
        b"\x1b[" * 50_000,
        b"\xff\xfe" + bytes(65_536),
        b"&gt;" * 50_000,
    ],
)
def test_hostile_wrappings_come_to_an_end(text: bytes) -> None:
    assert len(b"".join(unwrapped(io.BytesIO(text), BEGUN))) <= 2 * len(text) + 2
