"""What a worker does: one trace under some designs. It is sent by name; what goes in and what comes out is plain data.

Nothing raises here for what is the fault of a trace or a design: that is a row with the status "failed".
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from goalloc_cli.analyses.badevents import leniently
from goalloc_cli.analyses.pace.answer import Asked, answer
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.errors import ToldError
from goalloc_cli.host.memory import most_resident
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.report.documents.pacing import pacing_document
from goalloc_cli.sweep.columns import FAILED, KNOWN, LOST, Row
from goalloc_cli.sweep.inputs import is_url, shown, state_of
from goalloc_cli.sweep.keys import design_digest, digest_of_file, key_of, pair_of, slot_of
from goalloc_cli.sweep.row import VERSIONS, of_design, of_replay, of_setting, of_trace
from goalloc_cli.sweep.versions import versions
from goalloc_cli.sweep.wanted import Wanted
from goalloc_cli.sweep.warm import warm
from goalloc_cli.trace.chosen import chosen
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Trace

LENIENT, PARTIAL = "lenient", "partial"
"""Ways to read a trace."""
MOST_ERROR = 2_000
"""Characters of an error that are kept."""
PIECE = 1 << 20
EVENT_BYTES = 27
"""Of an event in a batch, at least: its kind is one of them."""
MOST_HELD = 512 << 20
"""Bytes of events that are held."""


def rows_of(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Do some tasks, one after the other.

    Args:
        tasks: of each `name` and `place` of the trace; `ways` to read it; `designs`, a `Wanted` each; `known`, keys of
            replays that need not be done again.

    Returns:
        `rows`, a list for each task, and the `versions` that found them.
    """
    warm()
    return {"versions": versions(), "rows": [rows_of_one(task) for task in tasks]}


def rows_of_one(task: dict[str, Any]) -> list[Row]:
    """Do a task."""
    began = time.perf_counter()
    each = [Wanted.of(plain) for plain in task["designs"]]
    base: Row = {"trace": task["name"], **VERSIONS}
    try:
        with at_hand(task["place"]) as (path, tag):
            one = OneTrace(task, path, tag)
            rows = [row for _, same in groupby(each, lambda wanted: wanted.allocator) for row in one.rows([*same])]
    except Exception as error:  # its bytes cannot be had
        status = told(error, task["name"], task["place"])
        rows = [{**status, "key": digest_of_absent(task, wanted), **named(task, wanted, "")} for wanted in each]
    seconds = time.perf_counter() - began
    about = {"host": socket.gethostname(), "pid": os.getpid(), "rss_bytes": most_resident(), "task_seconds": seconds}
    return [{**base, **row, **about} for row in rows]


def named(task: dict[str, Any], wanted: Wanted, tag: str) -> Row:
    """What the driver knows a row by."""
    place = task["place"]
    return {
        "design": wanted.name,
        "slot": slot_of(place, wanted.name),
        "pair": pair_of(place, tag, wanted, task["ways"]),
    }


def digest_of_absent(task: dict[str, Any], wanted: Wanted) -> str:
    """The key of a replay of a trace that is not there."""
    return key_of(f"no bytes of {task['place']}", pair_of("", "", wanted, ()), task["ways"])


@contextmanager
def at_hand(place: str) -> Iterator[tuple[str, str]]:
    """The trace as a file of this machine, fetched where it is none, and the tag of its state."""
    _, tag = state_of(place)
    if not is_url(place):
        yield place, tag
        return
    import fsspec

    with tempfile.NamedTemporaryFile(prefix="goalloc-", suffix=".trace") as file:
        with fsspec.open(place, "rb") as source:
            shutil.copyfileobj(source, file, PIECE)
        file.flush()
        yield file.name, tag


class OneTrace:
    """A trace, and what is asked of it."""

    def __init__(self, task: dict[str, Any], path: str, tag: str) -> None:
        self.task = task
        self.path = path
        self.tag = tag
        self.digest = digest_of_file(path)
        self.known = set(task["known"])
        self.found: dict[str, Row] = {}
        """Figures by key: two designs may be one, spelled differently."""
        self.held = Held(self.fresh) if len({Wanted.of(plain).allocator for plain in task["designs"]}) > 1 else None
        self.identity: Row = {"trace_digest": self.digest, "trace_bytes": Path(path).stat().st_size}

    def rows(self, wanted: list[Wanted]) -> list[Row]:
        """The rows of designs that share their allocator: one of a replay, one of each setting that is predicted."""
        replays = [each for each in wanted if each.setting is None]
        paced = [each for each in wanted if each.setting is not None]
        return [*(row for each in replays for row in self.attempted([each])), *(self.attempted(paced) if paced else ())]

    def attempted(self, wanted: list[Wanted]) -> list[Row]:
        """The rows of one replay, or of one prediction of several settings; where that fails, rows that say why."""
        began = time.perf_counter()
        rows: list[Row] = [{**self.identity, **named(self.task, each, self.tag)} for each in wanted]
        try:
            self.do(wanted, rows)
        except Exception as error:
            status = told(error, self.task["name"], self.path)
            for row, each in zip(rows, wanted, strict=True):
                row.setdefault("key", key_of(self.digest, pair_of("", "", each, ()), self.task["ways"]))
                row.update(status)
        for row in rows:
            row["row_seconds"] = (time.perf_counter() - began) / len(rows)
        return rows

    def do(self, wanted: list[Wanted], rows: list[Row]) -> None:
        """Put what comes of a replay or a prediction into the rows."""
        found, first = self.opened(), wanted[0]
        with closing(found.batches):  # type: ignore[type-var]
            design, name, hints = chosen(found.header, first.go, first.knobs, first.classes, first.called)
            hints = hints and not first.base
            for row, each in zip(rows, wanted, strict=True):
                row.update(of_trace(found.header), **of_design(found.header, first, design))
                row["design_digest"] = design_digest(design, each.setting, hints)
                row["key"] = key_of(self.digest, row["design_digest"], self.task["ways"])
            keys = [row["key"] for row in rows]
            if not all(key in self.known or key in self.found for key in keys):
                self.found.update(zip(keys, figures_of(found, design, name, hints, wanted), strict=True))
        for row, key in zip(rows, keys, strict=True):
            row.update(self.found.get(key, {"status": KNOWN}))
            if row.get("notes"):
                row["notes"] = row["notes"].replace(self.path, self.task["name"])

    def opened(self) -> Trace:
        """The trace, to be read once."""
        return (self.held and self.held.trace()) or self.fresh()

    def fresh(self) -> Trace:
        """The same, from its bytes."""
        ways = self.task["ways"]
        found = open_trace(self.path, partial=PARTIAL in ways, lenient=LENIENT in ways)
        return leniently(found) if LENIENT in ways else found


class Held:
    """The events of a trace, decoded once for several designs: that takes longer than a replay."""

    def __init__(self, opened: Callable[[], Trace]) -> None:
        self.opened = opened
        self.known: Trace | None = None
        self.batches: list[Batch] | None = None

    def trace(self) -> Trace | None:
        """The trace, to be read once; None where it is too long to be held, or has a fault that its replays are to meet."""
        if self.batches is None:
            self.known = self.opened()
            self.batches = held(self.known.batches)
        if self.known is None or not self.batches:
            return None
        return replace(self.known, batches=(batch for batch in self.batches))


def held(batches: Iterator[Batch]) -> list[Batch]:
    """All batches; none where they are too long, or cannot be read to the end."""
    found, length = [], 0
    with closing(batches), suppress(Exception):  # type: ignore[type-var]
        for batch in batches:
            found.append(batch)
            length += batch.kind.nbytes * EVENT_BYTES
            if length > MOST_HELD:
                return []
        return found
    return []


def figures_of(found: Trace, design: Design, name: str, hints: bool, wanted: list[Wanted]) -> list[Row]:
    """The figures of a replay; or those of each setting, as `goalloc pace` has them."""
    settings = [each.setting for each in wanted if each.setting is not None]
    if not settings:
        return [of_replay(replay(found, design, design_name=name, hints=hints))]
    document = pacing_document(answer(found, design, name, hints, Asked(settings, threads=1)))
    return [of_setting(document, row) for row in document["settings"] if not row["with_tracer"]]


def told(error: Exception, name: str, path: str) -> Row:
    """The status of rows that have no figures, and why, in the words of `goalloc replay`."""
    said = str(error)
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ToldError):
        said = f"{error.filename or name}: {error.strerror}"
    elif isinstance(error, MemoryError):
        said = "there is not enough memory"
    elif not isinstance(error, ToldError | OSError | ImportError):
        said = f"unexpected {type(error).__name__}: {error}. Please report it"
    said = shown(said.replace(path, name))
    if said == name:  # a file system that only names what it has not found
        said = f"{name}: cannot be had: {shown(str(error.__cause__ or 'there is no such file'))}"
    if name not in said:
        said = f"{name}: {said}"
    status = LOST if isinstance(error, MemoryError) else FAILED
    return {"status": status, "error_kind": type(error).__name__, "error": said[:MOST_ERROR]}
