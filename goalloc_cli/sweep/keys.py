"""What is the same, and need not be replayed again.

A *key* names a replay by what it depends on: versions, the bytes of the trace, every knob. Two spellings of one design have
one key, and so have two copies of a trace. A *pair* names what was asked: this file, in this state, under this design as it
was typed; it can be told without reading the file. A *slot* is the place of a row in the results: this file under a design
of this name, in whatever state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from goalloc_cli import __version__
from goalloc_cli.design.allocator import KNOBS, Design
from goalloc_cli.report.documents.replay import MODEL_VERSION
from goalloc_cli.sweep.wanted import Setting, Wanted

DIGEST_BYTES = 16
PIECE = 1 << 20
VERSIONS = [__version__, MODEL_VERSION]


def digest(*parts: object) -> str:
    """32 hexadecimal digits of plain values."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=DIGEST_BYTES).hexdigest()


def digest_of_file(path: str | Path) -> str:
    """The same of a file's bytes, as they are stored."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def design_digest(design: Design, setting: Setting | None, hints: bool) -> str:
    """Of every knob, the size classes, the setting that is predicted, if one is, and whether hints are followed."""
    knobs = {knob.name: int(getattr(design, knob.name)) for knob in KNOBS}
    return digest(knobs, design.size_classes, setting, hints)


def key_of(trace: str, design: str, ways: Sequence[str]) -> str:
    """Of a replay: the digests of trace and design, and how the trace is read."""
    return digest(*VERSIONS, trace, design, list(ways))


def pair_of(place: str, tag: str, wanted: Wanted, ways: Sequence[str]) -> str:
    """Of what was asked of one file."""
    return digest(*VERSIONS, place, tag, wanted.plain(), list(ways))


def slot_of(place: str, name: str) -> str:
    """Of a row's place in the results."""
    return digest(place, name)
