"""Speaks http and https, and counts every byte that a server sends: headers, chunks and what nobody reads included."""

from __future__ import annotations

import base64
import http.client
import io
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from goalloc_cli.errors import RecordingError

SCHEMES = ("http", "https")
AROUND = 1 << 20
"""Bytes that may come around a recording, beside once more its largest size: headers, chunk lengths, redirects."""
MOST_REDIRECTS = 10
MOST_SHOWN = 200
"""Characters of an address that are shown."""


@dataclass(frozen=True)
class Address:
    """Where something is asked for."""

    url: str
    """Without a name and a password."""
    authorization: str | None
    """The header for those."""


def address(url: str) -> Address:
    """What a URL names; raise ValueError in words where that is no server."""
    try:
        parts = urllib.parse.urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except ValueError:  # a port beyond 65535, half an IPv6 address, a name that no host has
        raise ValueError(f"{without_password(url)!r} is no address") from None
    if parts.scheme not in SCHEMES or not host:
        raise ValueError(f"{without_password(url)!r}: an address begins with http:// or https:// and names a server")
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    path = urllib.parse.quote(parts.path, safe="/%:=&?~#+!$,;'@()*[]")
    query = urllib.parse.quote(parts.query, safe="/%:=&?~+!$,;'@()*[]")
    return Address(urllib.parse.urlunsplit((parts.scheme, netloc, path, query, "")), authorization(parts))


def without_password(url: str) -> str:
    """The same URL, for people to read; whatever stands before an @ of its server is left out."""
    before, slashes, rest = url.partition("//")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return f"{before}{slashes}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def authorization(parts: urllib.parse.SplitResult) -> str | None:
    """The header for user:password@ in an address."""
    if parts.username is None:
        return None
    secret = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(secret.encode()).decode()}"


class TooMuch(Exception):  # noqa: N818 (it says what comes)
    """A server sends more than was asked for. No OSError, which urllib would take for a lost connection."""


class Talk:
    """One question to a server and to those that it redirects to: whom it is with, and how much they may still say."""

    def __init__(self, asked: Address, seconds: float, max_bytes: int) -> None:
        self.url = asked.url
        """Of the server that is being talked to."""
        self.asked = asked
        self.seconds = seconds
        self.left = 2 * max_bytes + AROUND

    def open(self) -> http.client.HTTPResponse:
        """The answer; its body is still to be read."""
        found: http.client.HTTPResponse = self.opener().open(question(self.asked), timeout=self.seconds)
        return found

    def opener(self) -> urllib.request.OpenerDirector:
        """What speaks http and https, directly or through the proxy of the environment, and nothing else."""
        found = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            counting(urllib.request.HTTPHandler, http.client.HTTPConnection, self.count)(),
            counting(urllib.request.HTTPSHandler, http.client.HTTPSConnection, self.count)(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            Redirects(self),
            urllib.request.UnknownHandler(),
        ):
            found.add_handler(handler)
        return found

    def count(self, length: int) -> None:
        """So many bytes have come."""
        self.left -= length
        if self.left < 0:
            raise TooMuch


def question(asked: Address) -> urllib.request.Request:
    found = urllib.request.Request(asked.url)
    if asked.authorization:
        found.add_unredirected_header("Authorization", asked.authorization)
    return found


class Redirects(urllib.request.BaseHandler):
    """Follows a redirect to http or https, and never from https to http."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.followed = 0

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> Any:
        fp.close()  # unread, however long it is
        place = headers.get("location") or ""
        try:
            target = address(urllib.parse.urljoin(req.full_url, place)) if place else None
        except ValueError:
            target = None
        if target is None or (req.type == "https" and target.url.startswith("http:")):
            shown = without_password(place)[:MOST_SHOWN] or "nowhere"
            raise RecordingError(
                f"{self.talk.url}: the server redirects to {shown}, which is not followed; give the right address with --url"
            )
        self.followed += 1
        if self.followed > MOST_REDIRECTS:
            asked = self.talk.asked.url
            raise RecordingError(f"{asked}: the server answers {code} again and again: it redirects in circles")
        self.talk.url = target.url
        return self.parent.open(question(target), timeout=self.talk.seconds)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def counting(handler: type, connection: type, count: Callable[[int], None]) -> Callable[[], urllib.request.BaseHandler]:
    """A handler of urllib whose connections tell how many bytes they receive."""

    class Answer(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp.close()
            self.fp = io.BufferedReader(Counted(sock.makefile("rb", buffering=0), count))

    class Counting(connection):  # type: ignore[misc]
        response_class = Answer

    class Handler(handler):  # type: ignore[misc]
        def do_open(self, _: type, req: urllib.request.Request, **kwargs: Any) -> Any:
            return super().do_open(Counting, req, **kwargs)

    return Handler


class Counted(io.RawIOBase):
    """The bytes of another stream, counted as they come."""

    def __init__(self, source: io.RawIOBase, count: Callable[[int], None]) -> None:
        self.source = source
        self.count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        found = self.source.readinto(buffer)
        self.count(found or 0)
        return found

    def close(self) -> None:
        self.source.close()
        super().close()


__all__ = ["SCHEMES", "Address", "Talk", "TooMuch", "address", "without_password"]
