"""Everything in a trace that `replay` or `verify` would refuse: bad events, and what only a heap can tell."""

from __future__ import annotations

from collections.abc import Callable

from goalloc_cli.analyses.badevents import BadEvents
from goalloc_cli.analyses.replay import Run
from goalloc_cli.analyses.verify.verify import Follower
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.parse import with_knob
from goalloc_cli.design.releases import release
from goalloc_cli.errors import DesignError, ReplayError, TraceError
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Header, Trace


def examine(trace: Trace, progress: Callable[[int], None] | None = None) -> BadEvents:
    """Walk a trace, read leniently, to its end.

    Until an event is bad, the replay of the recording's own release goes along, and `verify` where there are addresses. What
    they refuse stands in `refused`. A release that goalloc does not know has no such replay.

    Raises:
        TraceError: the trace cannot be read.
    """
    bad = BadEvents(trace.header)
    feed = None
    try:
        feed = feeder(trace)
    except (TraceError, ReplayError, DesignError) as error:
        bad.refused = str(error)
    for batch in trace.batches:
        if bad.take(batch).any():
            feed = None
        if feed is not None:
            try:
                feed(batch)
            except (TraceError, ReplayError, DesignError) as error:
                bad.refused = str(error)
                feed = None
        if progress:
            progress(bad.events)
    return bad


def feeder(trace: Trace) -> Callable[[Batch], None] | None:
    """What takes the events of a trace as `replay` and `verify` do; None where the release is not known.

    Raises:
        DesignError: the knobs in the header make no allocator.
        TraceError, ReplayError: the header cannot be true.
    """
    try:
        release(trace.header.go_version)
    except DesignError:
        return None
    design = design_of(trace.header)
    if trace.header.witnesses:
        return Follower(trace, design, own_sweeper=False).feed
    return Run(trace, design, placed=True, every="gc", check=False).feed


def design_of(header: Header) -> Design:
    """The allocator that made the recording; raise DesignError where goalloc has none such."""
    design = release(header.go_version)
    for knob, value in header.knobs:
        design = with_knob(design, knob, str(value))
    return design
