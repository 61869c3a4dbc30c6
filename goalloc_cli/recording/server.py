"""Takes a recording from the pprof address of a server that is running."""

from __future__ import annotations

import http.client
import queue
import signal
import socket
import threading
import urllib.error
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from goalloc_cli.errors import RecordingError
from goalloc_cli.host.ending import end, taken_by
from goalloc_cli.recording.http import Address, Talk, TooMuch, address

PIECE = 1 << 16
"""Bytes read at once."""
TOLD = 200
"""Characters of a server's own explanation that are shown."""
PPROF_PATH = "/debug/pprof"
TRACE_PATH = f"{PPROF_PATH}/trace"

Progress = Callable[[int], None]
"""Is told how many bytes have come so far."""


@dataclass(frozen=True)
class Request:
    """What is asked of a server."""

    address: Address
    """With the seconds in it, and without a password."""
    seconds: float
    patience: float
    """How many seconds longer than `seconds` the answer may take."""
    max_bytes: int

    @property
    def url(self) -> str:
        return self.address.url


def request(url: str, seconds: float, patience: float, max_bytes: int) -> Request:
    """Make a request of what the user wrote; raise ValueError if it is no address of a server."""
    found = address(url)
    parts = urllib.parse.urlsplit(found.url)
    query = [(k, v) for k, v in urllib.parse.parse_qsl(parts.query, keep_blank_values=True) if k != "seconds"]
    query.append(("seconds", f"{seconds:g}"))
    path = parts.path.rstrip("/")
    if not path or path.endswith(("/debug", PPROF_PATH)):  # its index, as one sees it in a browser
        path = path.removesuffix(PPROF_PATH).removesuffix("/debug") + TRACE_PATH
    else:
        path = parts.path
    plain = urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, urllib.parse.urlencode(query), ""))
    return Request(Address(plain, found.authorization), seconds, patience, max_bytes)


class StoppedError(Exception):
    """Somebody has asked for an end of it; what has come by then is in the file."""


def download(asked: Request, file: BinaryIO, progress: Progress | None = None) -> int:
    """Write the recording to `file`; return its length. Raise RecordingError; StoppedError where Ctrl-C ends it.

    All of it is done in a thread of its own, which is left alone at the deadline: it may wait for the name of a server, for
    a handshake, or for a header that comes a byte a second.
    """
    talk = Talk(asked.address, asked.seconds + asked.patience, asked.max_bytes)
    came: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            came.put(converse(talk, asked, file, progress))
        except BaseException as error:
            came.put(error)

    threading.Thread(target=work, name="downloading", daemon=True).start()
    try:
        with taken_by(lambda number: came.put(StoppedError()) if number == signal.SIGINT else end()):
            found = came.get(timeout=asked.seconds + asked.patience)
    except queue.Empty:
        talk.left = 0  # what still comes ends the thread
        raise RecordingError(failure(asked, talk.url, TimeoutError())) from None
    if isinstance(found, StoppedError):
        talk.left = 0
    if isinstance(found, BaseException):
        raise found
    return found


def converse(talk: Talk, asked: Request, file: BinaryIO, progress: Progress | None) -> int:
    """The same, for as long as it takes."""
    try:
        with talk.open() as answer:
            return copy(answer, file, asked, progress)
    except urllib.error.HTTPError as error:
        with error:
            raise RecordingError(refusal(talk.url, error)) from None
    except TooMuch:
        raise RecordingError(too_large(asked)) from None
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RecordingError(failure(asked, talk.url, reason)) from None


def copy(answer: http.client.HTTPResponse, file: BinaryIO, asked: Request, progress: Progress | None) -> int:
    """Copy the answer while it is not too long."""
    promised = answer.length or 0
    if promised > asked.max_bytes:
        raise RecordingError(too_large(asked))
    done = 0
    while piece := answer.read1(PIECE):
        done += len(piece)
        if done > asked.max_bytes:
            raise RecordingError(too_large(asked))
        file.write(piece)
        if progress is not None:
            progress(done)
    if not done:
        raise RecordingError(f"{asked.url}: the answer is empty; is this the address of a Go server's {TRACE_PATH}?")
    if promised > done:
        raise http.client.IncompleteRead(b"", promised - done)
    return done


def too_large(asked: Request) -> str:
    from goalloc_cli.report.units import iec

    return (
        f"{asked.url}: the recording is larger than {iec(asked.max_bytes)}; record for fewer --seconds, or allow more with "
        "--max-size"
    )


def refusal(url: str, error: urllib.error.HTTPError) -> str:
    """What a status other than 200 means."""
    try:
        words = " ".join(error.read(4 * TOLD).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException, TooMuch, ValueError):
        words = ""
    said = f" ({words[:TOLD]})" if words and not words.startswith("<") else ""
    advice = {
        401: "; give a name and a password with --url http://NAME:PASSWORD@...",
        404: f"; does the program import net/http/pprof, and is its trace at {TRACE_PATH}?",
        500: "; another recording may be running: try again when it is done",
    }.get(error.code, "")
    return f"{url}: the server answers {error.code} {error.reason[:TOLD]}{said}{advice}"


def failure(asked: Request, url: str, reason: object) -> str:
    """What a connection that came to nothing means."""
    if isinstance(reason, TimeoutError):
        return (
            f"{url}: no whole recording after {asked.seconds + asked.patience:g} seconds; is the server overloaded? "
            "--timeout waits longer"
        )
    if isinstance(reason, ConnectionRefusedError):
        return f"{url}: connection refused; is the server running, and does it listen at this address?"
    if isinstance(reason, socket.gaierror):
        return f"{url}: there is no such server ({reason.strerror})"
    if isinstance(reason, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError):
        return f"{url}: the server ended the connection before the recording was whole; is it still running?"
    if isinstance(reason, http.client.HTTPException):
        return f"{url}: this is no web server ({type(reason).__name__})"
    return f"{url}: {reason}"
