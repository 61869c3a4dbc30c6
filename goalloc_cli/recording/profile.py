"""Takes the heap profile of a server in the middle of its recording, right after a runtime.GC, which is recorded, too.

(Go: net/http/pprof, handler.ServeHTTP with gc=1.)
"""

from __future__ import annotations

import io
import threading
import urllib.parse
from dataclasses import replace

from goalloc_cli.recording.http import Address, Talk
from goalloc_cli.recording.server import TRACE_PATH, Request, converse

MOST_BYTES = 256 << 20
WHEN = 0.5
"""The part of the recording's time after which it is asked for: a collection may take its time before the end, too."""


def profile_request(asked: Request) -> Request:
    """The question for the heap profile of the server that is recorded; raise ValueError where its address is not known."""
    parts = urllib.parse.urlsplit(asked.url)
    if not parts.path.endswith("/trace"):
        raise ValueError(f"the heap profile is looked for beside the trace, so the address has to end as {TRACE_PATH} does")
    url = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix("trace") + "heap", "gc=1", ""))
    return replace(asked, address=Address(url, asked.address.authorization), max_bytes=MOST_BYTES)


class Taken(threading.Thread):
    """The profile, once it has come. It is asked for in a thread of its own, which nobody waits for longer than for the
    recording."""

    def __init__(self, asked: Request) -> None:
        super().__init__(name="profiling", daemon=True)
        self.asked = profile_request(asked)
        self._came = io.BytesIO()
        self._error: BaseException | None = None

    def run(self) -> None:
        threading.Event().wait(self.asked.seconds * WHEN)
        talk = Talk(self.asked.address, self.asked.seconds + self.asked.patience, MOST_BYTES)
        try:
            converse(talk, self.asked, self._came, None)
        except BaseException as error:
            self._error = error

    def data(self) -> bytes:
        """Its bytes; raise RecordingError where it did not come."""
        self.join(self.asked.patience)
        if self.is_alive():
            self._error = TimeoutError(f"{self.asked.url}: no whole profile after {self.asked.patience:g} seconds")
        if self._error is not None:
            raise self._error
        return self._came.getvalue()
