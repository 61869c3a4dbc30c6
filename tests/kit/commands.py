"""The command line as users have it, and a small trace for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from goalloc_cli.native.native import write_native
from goalloc_cli.trace.event import COLUMNS, Batch, Kind
from goalloc_cli.trace.trace import Header
from tests.kit.root import ROOT


def written(path: Path, header: Header) -> str:
    with path.open("wb") as file:
        write_native(header, batches(), file)
    return str(path)


def batches() -> Iterator[Batch]:
    rows = np.array([(Kind.ALLOC, 0, i, 64, 0) for i in range(9)] + [(Kind.GC_END, 0, 0, 0, 0)]).T
    yield Batch(**{n: c.astype(d) for (n, d), c in zip(COLUMNS.items(), rows, strict=False)})  # type: ignore[arg-type]


def goalloc(*args: str, stdin: Any = subprocess.DEVNULL, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "goalloc_cli", *args],
        stdin=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        timeout=60,
        check=False,
    )
