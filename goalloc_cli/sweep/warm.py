"""A worker that finds no compiled code: one process of its machine compiles, and the others wait for it."""

from __future__ import annotations

from functools import cache
from importlib import resources

from goalloc_cli.analyses.badevents import leniently
from goalloc_cli.analyses.pace.answer import Asked, answer
from goalloc_cli.analyses.replay import replay
from goalloc_cli.compiled.turns import compiled_once
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.chosen import chosen

RECORDING = "warmup.trace.zst"


@cache
def warm() -> None:
    """Have all compiled that a task needs."""
    compiled_once("sweep", work)


def work() -> None:
    """Replay a short recording in every way that a task may."""
    with resources.as_file(resources.files("goalloc_cli") / RECORDING) as recording:
        found = leniently(open_trace(recording, lenient=True))
        design, name, hints = chosen(found.header, None, ())
        replay(found, design, design_name=name, hints=hints)
        found = open_trace(recording)
        answer(found, design, name, hints, Asked([(100, None)], threads=1))
