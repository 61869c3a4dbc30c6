"""A trace that can be read again and again, whatever it came from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.trace.trace import Trace


@contextmanager
def kept(trace: Trace) -> Iterator[Callable[[], Trace]]:
    """Read a trace to its end into a file without a name, which is gone afterwards; yield what opens it anew. It has no
    witnesses. It is read by one at a time."""
    with tempfile.TemporaryFile() as file:
        write_native(trace.header, trace.batches, file, witnesses=False)
        header = trace.header.with_notes(*trace.remarks)

        def again() -> Trace:
            file.seek(0)
            return replace(read_native(file, trace.name), header=header)

        yield again


@contextmanager
def kept_file(trace: Trace) -> Iterator[str]:
    """The same as a file with a name, which several processes can read at once."""
    with tempfile.NamedTemporaryFile(prefix="goalloc-", suffix=".msgpack") as file:
        write_native(trace.header, trace.batches, file, witnesses=False)  # type: ignore[arg-type]
        file.flush()
        yield file.name
