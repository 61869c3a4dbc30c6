"""The Go program that iterates over a recording with Go's own reader: what import is held against."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.realgo import toolchain

SOURCE = Path(__file__).parent / "goreader" / "main.go"


def build(bench: Bench) -> Path | str:
    """The program, or why there is none. To the compiler it stands among Go's own commands: the reader is internal."""
    go = toolchain(bench)
    if go is None:
        return "no `go` on the PATH; --realgo installs one"
    own = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "GOCACHE": str(bench.folder / "gocache")}
    environ = {**os.environ, **own}
    root = subprocess.run([go, "env", "GOROOT"], env=environ, capture_output=True, text=True, check=True).stdout.strip()
    commands = Path(root, "src", "cmd")
    overlay = bench.folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(commands / "goreader" / "main.go"): str(SOURCE)}}))
    program = bench.folder / "goreader-program"
    built = subprocess.run(
        [go, "build", "-overlay", overlay, "-o", program, "./goreader"],
        cwd=commands, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return program if built.returncode == 0 else f"go build failed: {built.stderr.strip().splitlines()[-1]}"
