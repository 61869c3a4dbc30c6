"""Which goalloc this is: a worker that has another one would find other figures, and is refused."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import MODEL_VERSION

PACKAGE = Path(__file__).parent.parent
SHOWN = 8
"""Digits of the sources' digest."""


@cache
def versions() -> dict[str, str]:
    """All that has to be alike where rows are found, and where they are written."""
    sources = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        sources.update(hashlib.sha256(path.read_bytes()).digest())
    return {
        "goalloc": __version__,
        "model": str(MODEL_VERSION),
        "sources": sources.hexdigest()[:SHOWN],
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numba": version("numba"),
        "numpy": version("numpy"),
    }


def differences(theirs: dict[str, str]) -> str:
    """What of theirs is not ours: "model 1, not 2"; "" where all is alike."""
    other = [(name, theirs.get(name), ours) for name, ours in versions().items() if theirs.get(name) != ours]
    return "; ".join(f"{name} {found or 'unknown'}, not {ours}" for name, found, ours in other)
