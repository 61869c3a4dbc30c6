"""Takes off a text what consoles, shippers and editors have put around it: the one place for all readers of text.

UTF-16, CR LF, colours of a terminal, JSON of Docker, journald, zap and slog (one in the other, too), the prefix of CRI with
lines in parts, any other prefix that every line has, quotes ("> ") and HTML's escapes. What is not wrapped goes through
as it is.
"""

from __future__ import annotations

import codecs
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LINE = 1 << 16
"""Longest piece of a line that is looked at as a whole."""
LOOKED_AT = 1 << 16
"""Bytes at the start that tell how a text is wrapped."""
MOST_NESTED = 3
"""JSON in JSON in JSON."""
MOST_PREFIX = 200
SAMPLE_LINES = 40
"""So many lines behind the first are tried with its prefix."""
MOST_JOINED = 1 << 20

MESSAGES = ("log", "msg", "message", "MESSAGE", "textPayload", "text", "line", "body", "@message", "short_message")
"""Under which key a log in JSON has the program's own line."""
ANSI = re.compile(rb"\x1b\[[0-9;?]{0,20}[A-Za-z]")
CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S{1,40} (?:stdout|stderr) (?P<part>[FP])(?: |(?=\r?\n|$))")
TOKENS = re.compile(r"(?P<digits>\d+)|(?P<letters>[A-Za-z]+)|(?P<spaces>\s+)|(?P<other>.)", re.DOTALL)
ESCAPES = re.compile(rb"&(?:gt|lt|amp|quot|#\d{1,4});")
BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NULS_MARKED, NULS = 0.3, 0.9
"""So many of every other byte are 0 in UTF-16 of mostly Latin letters, with a mark at its start and without."""

Mark = re.Pattern[bytes]


def unwrapped(stream: BinaryIO, mark: Mark | None = None) -> Iterator[bytes]:
    """The lines of the program's own text, each with its end; longer ones in pieces.

    Args:
        stream: the text, at its start.
        mark: with which a line of the wanted kind begins. Where all lines have something else in front of it, that goes.
    """
    buffered = peekable(stream)
    head = buffered.peek(LOOKED_AT)[:LOOKED_AT]
    encoding = encoding_of(head)
    lines = decoded(buffered, encoding) if encoding else iter(lambda: buffered.readline(LINE), b"")
    prefix = None if mark is None else prefix_of(head.decode(encoding, "replace").encode() if encoding else head, mark)
    return joined(stripped(line, prefix) for line in lines)


def plainly(stream: BinaryIO, mark: Mark) -> BinaryIO:
    """The stream itself where nothing is wrapped around its text, else one of the program's own text."""
    buffered = peekable(stream)
    if is_plain(buffered.peek(LOOKED_AT)[:LOOKED_AT], mark):
        return cast(BinaryIO, buffered)
    return io.BufferedReader(_Lines(unwrapped(buffered, mark)), 1 << 20)


def start_of(head: bytes, mark: Mark | None = None) -> bytes:
    """The same of the first bytes of a text."""
    return b"".join(unwrapped(cast(BinaryIO, io.BytesIO(head)), mark))


def peekable(stream: BinaryIO) -> Any:
    return stream if hasattr(stream, "peek") else io.BufferedReader(cast(Any, stream), LOOKED_AT)


def is_plain(head: bytes, mark: Mark) -> bool:
    wrapped = encoding_of(head) or b"\x1b[" in head or b"\r\n" in head or b'{"' in head or ESCAPES.search(head)
    return not (wrapped or any(map(CRI.match, head.split(b"\n"))) or prefix_of(head, mark))


def encoding_of(head: bytes) -> str | None:
    """Which UTF-16 it is: every other byte is 0. The mark alone says nothing: programs print anything."""
    start = head[:512]
    marked = start[:2] in BOMS
    least = (NULS_MARKED if marked else NULS) * (len(start) // 2)
    if len(start) >= (4 if marked else 16):
        for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
            if start[first::2].count(0) >= least and start[1 - first :: 2].count(0) < least:
                return encoding
    return None


def decoded(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """The lines of UTF-16, as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest = ""
    while piece := stream.read(LINE):
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        for line in lines:
            yield line.lstrip("\ufeff").encode("utf-8", "replace") + b"\n"
        if len(rest) > LINE:
            yield rest.encode("utf-8", "replace")
            rest = ""
    if rest := rest + decoder.decode(b"", final=True):
        yield rest.encode("utf-8", "replace")


def stripped(line: bytes, prefix: re.Pattern[bytes] | None) -> tuple[bytes, bool]:
    """A line without what was put around it, and whether it goes on in the next (CRI's P)."""
    if b"\x1b" in line:
        line = ANSI.sub(b"", line)
    if line.endswith(b"\r\n"):
        line = line[:-2] + b"\n"
    goes_on = False
    if cri := CRI.match(line):
        line, goes_on = line[cri.end() :], cri["part"] == b"P"
    elif prefix is not None and (found := prefix.match(line)):
        line = line[found.end() :]
    for _ in range(MOST_NESTED):
        message = message_in(line)
        if message is None:
            break
        line = message
    if b"&" in line and ESCAPES.search(line):
        line = html.unescape(line.decode("utf-8", "replace")).encode()
    return line, goes_on


def joined(lines: Iterator[tuple[bytes, bool]]) -> Iterator[bytes]:
    """Lines that came in parts, as one."""
    parts = b""
    for line, goes_on in lines:
        if goes_on and len(parts) < MOST_JOINED:
            parts += line.rstrip(b"\n")
        else:
            yield parts + line
            parts = b""
    if parts:
        yield parts


def message_in(line: bytes) -> bytes | None:
    """The program's own line in a line of JSON, of which other text may stand in front; None where there is none."""
    at = line.find(b'{"')
    if at < 0 or not line.rstrip().endswith(b"}"):
        return None
    try:
        entry = json.loads(line[at:])
    except (ValueError, RecursionError):
        return None
    found = next((entry[key] for key in MESSAGES if entry.get(key)), None)
    if isinstance(found, list) and all(type(byte) is int and 0 <= byte < 256 for byte in found):  # journald's bytes
        found = bytes(found).decode("utf-8", "replace")
    if not isinstance(found, str):
        return None
    text = found.encode("utf-8", "replace")
    return text if text.endswith(b"\n") else text + b"\n"


def prefix_of(head: bytes, mark: Mark) -> re.Pattern[bytes] | None:
    """What stands in front of every line, with digits and letters that may change; None where nothing does."""
    found = mark.search(head)
    if found is None:
        return None
    start = head.rfind(b"\n", 0, found.start()) + 1
    prefix = head[start : found.start()]
    if not prefix or len(prefix) > MOST_PREFIX or b'{"' in prefix or CRI.match(prefix):
        return None
    shape = shape_of(prefix.decode("latin-1"))
    behind = [*islice((line for line in head[start:].split(b"\n") if line.strip()), SAMPLE_LINES)]
    fits = sum(shape.match(line) is not None for line in behind)
    return shape if 2 * fits > len(behind) and (fits > 1 or len(behind) == 1) else None


def shape_of(prefix: str) -> re.Pattern[bytes]:
    """A pattern for what looks like this. A space at its end may have been cut off where nothing follows."""
    body = prefix.rstrip(" ")
    shapes: dict[str, Callable[[str], str]] = {
        "digits": lambda text: r"\d+",
        "letters": lambda text: r"[A-Za-z]+",
        "spaces": lambda text: r"\s+",
        "other": re.escape,
    }
    parts = [shapes[str(found.lastgroup)](found[0]) for found in TOKENS.finditer(body)]
    behind = f"(?:{re.escape(prefix[len(body) :])}|(?=\r?\n|$))" if len(body) < len(prefix) else ""
    return re.compile("".join([*parts, behind]).encode("latin-1"))


class _Lines(io.RawIOBase):
    """Lines as a stream of bytes. It gives less than was asked only at its end."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        wanted = memoryview(buffer).cast("B")
        parts, length = [self._rest], len(self._rest)
        while length < len(wanted) and (line := next(self._lines, None)) is not None:
            parts.append(line)
            length += len(line)
        data = b"".join(parts)
        take = min(len(data), len(wanted))
        wanted[:take] = data[:take]
        self._rest = data[take:]
        return take
