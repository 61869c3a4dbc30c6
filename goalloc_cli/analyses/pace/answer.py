"""All that `goalloc pace` is asked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from goalloc_cli.analyses.pace.budget import advise
from goalloc_cli.analyses.pace.events import load
from goalloc_cli.analyses.pace.pace import Pacer
from goalloc_cli.analyses.pace.traced import cases_of, cpu_of
from goalloc_cli.design.allocator import Design
from goalloc_cli.results.gctrace import GCTrace
from goalloc_cli.results.pacing import Pacing, Setting
from goalloc_cli.trace.trace import Trace


@dataclass(frozen=True)
class Asked:
    """What is wanted of a recording."""

    settings: list[tuple[int, int | None]]
    """GOGC in percent, -1 for off; the memory limit in bytes, None for off."""
    budget: int | None = None
    gctrace: GCTrace | None = None
    """Of a run of the program without tracing."""
    overhead: int | None = None
    """Bytes that the runtime maps beside all that is modelled."""
    recorded_gogc: int | None = None
    threads: int | None = None
    """Runs at once; one for each core where nothing is said."""


def answer(
    trace: Trace, design: Design, design_name: str, hints: bool, asked: Asked, progress: Callable[[int], None] | None = None
) -> Pacing:
    """Predict every setting, and advise.

    Args:
        design: the allocator; its memory limit is that of the recording.
        hints: whether the recording's own hints fit it.

    Raises:
        ReplayError, TraceError: as `replay` does.
    """
    told = dict(trace.header.knobs).get("gogc", 0)
    cases = () if asked.gctrace is None else cases_of(asked.gctrace)
    pacer = Pacer(
        load(trace),
        design,
        design_name=design_name,
        hints=hints,
        recorded_gogc=asked.recorded_gogc or (told if told > 0 else None),
        overhead=asked.overhead,
        cases=cases or None,
        threads=asked.threads,
    )
    pacing = pacer.pace([Setting(*each) for each in asked.settings], progress)
    if asked.gctrace is not None:
        few = f"{asked.gctrace.name} holds too few collections to tell when they start and end."
        pacing = replace(pacing, traced_ns_per_byte=cpu_of(asked.gctrace), notes=[] if cases else [few])
    return pacing if asked.budget is None else replace(pacing, advice=advise(pacer, pacing, asked.budget))
