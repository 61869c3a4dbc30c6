"""Takes a recording from the pprof address of a server that is running."""

from __future__ import annotations

import base64
import http.client
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from goalloc_cli.recording.errors import RecordingError

PIECE = 1 << 16
"""Bytes read at once."""
TOLD = 200
"""Characters of a server's own explanation that are shown."""
TRACE_PATH = "/debug/pprof/trace"
SCHEMES = ("http", "https")

Progress = Callable[[int], None]
"""Is told how many bytes have come so far."""


@dataclass(frozen=True)
class Request:
    """What is asked of a server."""

    url: str
    """With the seconds in it, and without a password."""
    authorization: str | None
    seconds: float
    patience: float
    """How many seconds longer than `seconds` the answer may take."""
    max_bytes: int


def request(url: str, seconds: float, patience: float, max_bytes: int) -> Request:
    """Make a request of what the user wrote; raise ValueError if it is no address of a server."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError(f"{without_password(url)!r}: an address begins with http:// or https:// and names a server")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    query = [(k, v) for k, v in urllib.parse.parse_qsl(parts.query, keep_blank_values=True) if k != "seconds"]
    query.append(("seconds", f"{seconds:g}"))
    path = TRACE_PATH if parts.path in ("", "/") else parts.path
    plain = urllib.parse.urlunsplit((parts.scheme, netloc, path, urllib.parse.urlencode(query), ""))
    return Request(plain, authorization(parts), seconds, patience, max_bytes)


def without_password(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://{after}" if at else url


def authorization(parts: urllib.parse.SplitResult) -> str | None:
    """The header for user:password@ in an address."""
    if parts.username is None:
        return None
    secret = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(secret.encode()).decode()}"


def download(asked: Request, file: BinaryIO, progress: Progress | None = None) -> int:
    """Write the recording to `file`; return its length. Raise RecordingError."""
    deadline = time.monotonic() + asked.seconds + asked.patience
    question = urllib.request.Request(asked.url)
    if asked.authorization:
        question.add_unredirected_header("Authorization", asked.authorization)
    try:
        with opener().open(question, timeout=asked.seconds + asked.patience) as answer:
            return copy(answer, file, asked, deadline, progress)
    except urllib.error.HTTPError as error:
        with error:
            raise RecordingError(refusal(asked, error)) from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        if isinstance(error, RecordingError):
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RecordingError(failure(asked, reason)) from None


def opener() -> urllib.request.OpenerDirector:
    """Speaks http and https, directly or through the proxy of the environment, and nothing else."""
    found = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        Redirects(),
        urllib.request.UnknownHandler(),
    ):
        found.add_handler(handler)
    return found


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http or https, and never from https to http."""

    def http_error_302(self, req, fp, code, msg, headers):  # type: ignore[no-untyped-def]
        target = urllib.parse.urljoin(req.full_url, headers.get("location") or "")
        scheme = urllib.parse.urlsplit(target).scheme
        if scheme not in SCHEMES or (req.type == "https" and scheme == "http"):
            raise RecordingError(
                f"{req.full_url}: the server redirects to {without_password(target)}, which is not followed; give the "
                "right address with --url"
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def copy(
    answer: http.client.HTTPResponse, file: BinaryIO, asked: Request, deadline: float, progress: Progress | None
) -> int:
    """Copy the answer while it is neither too long nor too late."""
    promised = answer.length or 0
    if promised > asked.max_bytes:
        raise RecordingError(too_large(asked))
    done = 0
    while piece := answer.read1(PIECE):
        done += len(piece)
        if done > asked.max_bytes:
            raise RecordingError(too_large(asked))
        if time.monotonic() > deadline:
            raise TimeoutError
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


def refusal(asked: Request, error: urllib.error.HTTPError) -> str:
    """What a status other than 200 means."""
    try:
        words = " ".join(error.read(4 * TOLD).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException):
        words = ""
    said = f" ({words[:TOLD]})" if words and not words.startswith("<") else ""
    advice = {
        401: "; give a name and a password with --url http://NAME:PASSWORD@...",
        404: f"; does the program import net/http/pprof, and is its trace at {TRACE_PATH}?",
        500: "; another recording may be running: try again when it is done",
    }.get(error.code, "")
    return f"{asked.url}: the server answers {error.code} {error.reason}{said}{advice}"


def failure(asked: Request, reason: object) -> str:
    """What a connection that came to nothing means."""
    if isinstance(reason, TimeoutError):
        return (
            f"{asked.url}: no whole recording after {asked.seconds + asked.patience:g} seconds; is the server overloaded? "
            "--timeout waits longer"
        )
    if isinstance(reason, ConnectionRefusedError):
        return f"{asked.url}: connection refused; is the server running, and does it listen at this address?"
    if isinstance(reason, socket.gaierror):
        return f"{asked.url}: there is no such server ({reason.strerror})"
    if isinstance(reason, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError):
        return f"{asked.url}: the server ended the connection before the recording was whole; is it still running?"
    if isinstance(reason, http.client.HTTPException):
        return f"{asked.url}: this is no web server ({type(reason).__name__})"
    return f"{asked.url}: {reason}"
