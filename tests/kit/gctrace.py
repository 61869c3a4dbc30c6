"""Lines of GODEBUG=gctrace, and what goalloc stats says of them.

The texts in tests/data/gctrace begin with the command that printed them; the program is traces/programs/lru.
lru-go1.27.trace.zst is the recording of the run that printed lru-go1.27.txt.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.gctrace.read import read_gctrace
from goalloc_cli.results.gctrace import GCTrace
from tests.kit.root import DATA as TEST_DATA

DATA = TEST_DATA / "gctrace"
TRACE = DATA / "lru-go1.27.trace.zst"
GC = (
    "gc 4 @0.049s 4%: 2.1+4.4+0.008 ms clock, 4.3+0.1/0.44/2.1+0.017 ms cpu, "
    "9->10->5 MB, 11 MB goal, 0 MB stacks, 0 MB globals, 2 P"
)


def numbered(number: int, start: float = 0.0) -> str:
    return GC.replace("gc 4 @0.049s", f"gc {number} @{start:.3f}s") + "\n"


def read(text: str | bytes) -> GCTrace:
    """What is read of a text."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "stderr.txt")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_gctrace(open_source(path))


def said(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What goalloc stats prints."""
    assert cli.run(["stats", *map(str, args)]) == 0
    return capsys.readouterr().out


def document(capfdbinary: pytest.CaptureFixture[bytes], *args: object) -> dict[str, Any]:
    """The document that it makes."""
    assert cli.run(["stats", *map(str, args), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capfdbinary.readouterr().out)
    return found
