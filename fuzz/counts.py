"""How often what was tried, and with what result: a line of JSON for each run.

Runs note them in .fuzz/counts.jsonl. What the table was written from is kept in fuzz/counts.jsonl; the first lines there are
sums over all runs before it was.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".fuzz"
LIES = ("events", "states")
"""What lies in inputs that are whole otherwise (fuzz/lies.py): goalloc traces, saved states."""
NOTED, KEPT = HOME / "counts.jsonl", ROOT / "fuzz" / "counts.jsonl"


def commit() -> str:
    """The commit that is checked out; with a + where files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def add_count(kind: str, reader: str, **counts: Any) -> None:
    """Note what one run tried."""
    HOME.mkdir(exist_ok=True)
    line = json.dumps({"kind": kind, "reader": reader, "commit": commit(), **counts})
    with NOTED.open("a") as file:
        file.write(f"{line}\n")


def asked_for() -> bool:
    """Whether tests are to note their counts: GOALLOC_COUNTS is set."""
    return bool(os.environ.get("GOALLOC_COUNTS"))


def counts() -> list[dict[str, Any]]:
    """All that was noted, and is kept from here on."""
    if NOTED.exists():
        with KEPT.open("a") as file:
            file.write(NOTED.read_text())
        NOTED.unlink()
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
