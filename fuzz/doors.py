"""What is done with an input that lies: every command that takes it, as a function that returns its answer.

Each ends in an answer or in one line. And they agree: what `check` calls good, `replay` and `verify` take; what it calls
bad, they refuse.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fuzz.lies import lying_state, lying_trace, true_trace
from fuzz.targets import outcome
from goalloc_cli.analyses.badevents import leniently
from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.examine import design_of, examine
from goalloc_cli.analyses.explain.event import explain_event
from goalloc_cli.analyses.replay import replay
from goalloc_cli.analyses.verify.verify import verify
from goalloc_cli.design.releases import RELEASES, release
from goalloc_cli.errors import DesignError, EventError, ReplayError, TraceError
from goalloc_cli.native.native import read_native
from goalloc_cli.report.documents.check import check_document
from goalloc_cli.report.documents.explained import event_document
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.documents.trace import trace_document
from goalloc_cli.report.documents.verdict import verdict_document
from goalloc_cli.report.forms.output import encoded
from goalloc_cli.results.badevents import Wrong
from goalloc_cli.trace.trace import Trace

SHOWN = 8
"""Of so many answers one is made a report of."""


class DisagreeError(Exception):
    """Two commands say different things of one input."""


def read(data: bytes, lenient: bool = False) -> Trace:
    return read_native(io.BytesIO(data), "input", lenient)


def shown(made: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A document, now and then rendered."""
    if chance.randrange(SHOWN) == 0:
        encoded(made, ("all",) if "schema" in made and made["schema"] == "goalloc replay" else (), chance.choice(FORMATS))
    return made


FORMATS = ("table", "csv", "markdown", "json")


def door_replay(data: bytes, chance: random.Random) -> None:
    trace = read(data)
    found = replay(trace, design_of(trace.header), design_name="", check=chance.randrange(3) == 0)
    shown(document(found, len(data)), chance)


def door_lenient(data: bytes, chance: random.Random) -> None:
    trace = leniently(read(data, lenient=True))
    found = replay(trace, design_of(trace.header), design_name="", every=chance.choice(("gc", 100)))
    shown(document(found, len(data)), chance)


def door_other(data: bytes, chance: random.Random) -> None:
    """Another release's allocator."""
    design = release(chance.choice(list(RELEASES)))
    found = replay(read(data), design, design_name="", hints=False, check=bool(chance.randrange(2)))
    shown(document(found, len(data)), chance)


def door_verify(data: bytes, chance: random.Random) -> None:
    trace = read(data)
    found = verify(trace, design_of(trace.header), design_name="", own_sweeper=chance.randrange(4) == 0)
    shown(verdict_document(found), chance)


def door_explain(data: bytes, chance: random.Random) -> None:
    trace = read(data)
    told = explain_event(trace, design_of(trace.header), chance.randrange(8000), hints=bool(chance.randrange(4)))
    shown(event_document(told, trace, ""), chance)


def door_stats(data: bytes, chance: random.Random) -> None:
    shown(trace_document(describe(read(data))), chance)


DOORS: tuple[Callable[[bytes, random.Random], None], ...] = (
    door_lenient, door_other, door_verify, door_explain, door_stats,
)  # fmt: skip


def tried(door: Callable[[bytes, random.Random], None], data: bytes, chance: random.Random) -> str:
    """The one line that a door ends in; "" for an answer."""

    def target(given: bytes) -> str:
        try:
            door(given, chance)
        except (ReplayError, EventError, DesignError) as error:
            raise TraceError(str(error)) from error
        return ""

    return str(outcome(target, data))


def try_events(chance: random.Random) -> None:
    """A trace that lies: checked, replayed, and sent through one more door."""
    data = lying_trace(chance)
    refused = tried(door_replay, data, chance)
    said = tried(lambda given, _: door_check(given, refused, chance), data, chance)
    if said and not refused:
        raise DisagreeError(f"replay takes what check cannot read: {said}")
    door = chance.choice(DOORS)
    line = tried(door, data, chance)
    if door is door_verify and line and not refused and not said and read(data).header.witnesses:
        tried(lambda given, _: door_check(given, line, chance), data, chance)


def door_check(data: bytes, refused: str, chance: random.Random) -> None:
    """Check; raise where it does not say what replay did."""
    found = read(data, lenient=True)
    bad = examine(found)
    shown(check_document(found, bad), chance)
    if refused and bad.is_good and "invariant broken" not in refused:
        raise DisagreeError(f"check finds nothing, but: {refused}")
    # A replay lays objects where its own rules say; that two were recorded at one address is for `check` alone to tell, and
    # so is what follows from taking the first of them for dead.
    if bad.total and Wrong.ADDRESS not in bad.counts and not refused:
        raise DisagreeError(f"replay takes what check calls bad: {bad.first[:3]}")


def try_states(chance: random.Random) -> None:
    """A saved state that lies: gone on from."""
    saved, state = lying_state(chance)

    def go_on(rest: bytes, chance: random.Random) -> None:
        trace = replace(read(rest), name="rest")
        found = replay(
            trace, release(saved.go_version), design_name="", hints=saved.hints, begin_with=("state", state),
            check=bool(chance.randrange(2)),
        )  # fmt: skip
        shown(document(found, len(rest)), chance)

    tried(go_on, saved.rest, chance)


def warm() -> None:
    """Send true inputs through all doors: what all processes need is compiled and read once."""
    data = true_trace()
    for door in (door_replay, *DOORS, lambda given, chance: door_check(given, "", chance)):
        for number in range(SHOWN):
            tried(door, data, random.Random(number))
    try_states(random.Random(0))


TRY = {"events": try_events, "states": try_states}
