"""What other settings of GOGC and GOMEMLIMIT would have done, as one plain document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import MODEL_VERSION, SCHEMA_VERSION, trace_identity
from goalloc_cli.results.pacing import OFF, Pacing, Prediction, Setting

Document = dict[str, Any]

SCHEMA = "goalloc pace"
RANGES = {"num_gc": "num_gc", "peak_heap_inuse": "peak_heap_inuse", "heap_sys": "heap_sys", "peak_mapped": "peak_mapped",
          "marked": "marked"}  # fmt: skip
"""Figures that are given from the lowest to the highest of the cases, by the name that each has in a document."""
COARSE = 0.3
"""Bytes allocated between two recorded collections, by those live, from which deaths are known too coarsely."""


def pacing_document(pacing: Pacing) -> Document:
    """All settings; the first row is the recorded one, predicted beside recorded."""
    rows = [] if pacing.check is None else [row(pacing, pacing.check, with_tracer=True)]
    rows += [row(pacing, found) for found in pacing.predictions]
    mark_pareto(rows)
    outcome = pacing.recorded
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "trace": trace_identity(outcome.trace_name, outcome.header, None, outcome.events),
        "design": outcome.design_name,
        "notes": list(dict.fromkeys([*outcome.header.notes, *notes(pacing), *pacing.notes])),
        "recorded": {
            **{name: value for name, value in asdict(pacing.observed).items() if name != "black"},
            "most_allocated_while_marking": max(pacing.observed.black, default=None),
            "memory_limit": None if pacing.setting is None else pacing.setting.memory_limit,
            "peak_heap_inuse": pacing.peak,
            "off": pacing.off,
            "tracer_bytes": pacing.tracer_bytes,
        },
        "deaths": {"drawn": pacing.deaths, "behind_the_last_collection": pacing.drawn_at_end},
        "settings": rows,
        "advice": advice(pacing),
    }


def gogc_of(setting: Setting) -> int | None:
    """GOGC in percent, None for off."""
    return None if setting.gogc == OFF else setting.gogc


def row(pacing: Pacing, found: Prediction, with_tracer: bool = False) -> Document:
    """One setting. Where the limit makes the program thrash, its figures are None."""
    told: Document = {
        "gogc": gogc_of(found.setting),
        "memory_limit": found.setting.memory_limit,
        "zone": found.zone,
        "rules": found.ruler,
        "room": found.room,
        "with_tracer": with_tracer,
        "recorded": {"num_gc": pacing.observed.num_gc, "peak_heap_inuse": pacing.peak} if with_tracer else None,
    }
    names = (*RANGES, "usual_peak_heap_inuse", "usual_peak_mapped", "rss", "goals", "gc_work", "gc_cpu_seconds")
    if found.zone == "thrashing":
        return told | dict.fromkeys(names) | {"cases": None}
    told |= {name: list(found.span(field)) for name, field in RANGES.items()}
    told |= {"peak_heap_inuse": list(found.peak_heap_inuse), "peak_mapped": list(found.peak_mapped)}
    told["usual_peak_heap_inuse"] = found.usual_peak_heap_inuse
    told["usual_peak_mapped"] = found.usual_peak_mapped
    figures = found.cases.values()
    told["rss"] = [min(f.peak_heap_inuse + f.peak_stacks for f in figures), found.peak_mapped[1]]
    told["goals"] = [min(f.goals[0] for f in figures), max(f.goals[1] for f in figures)]
    told["gc_work"] = work(pacing, found)
    told["gc_cpu_seconds"] = cpu(pacing, found)
    told["cases"] = {name: asdict(f) for name, f in found.cases.items()}
    return told


def work(pacing: Pacing, found: Prediction) -> list[float] | None:
    """Bytes scanned by those of the recorded setting: from the least to the most of the usual cases."""
    if pacing.base is None:
        return None
    shares = [
        figures.scan_work / base.scan_work
        for name, figures in found.usual.items()
        if (base := pacing.base.cases.get(name)) is not None and base.scan_work
    ]
    return [min(shares), max(shares)] if shares else None


def cpu(pacing: Pacing, found: Prediction) -> list[float] | None:
    """Seconds of CPU time for collections, by what a gctrace told of bytes."""
    if pacing.cpu_ns_per_byte is None:
        return None
    (low, high), (least, most) = pacing.cpu_ns_per_byte, found.span("marked")
    return [low * least / 1e9, high * most / 1e9]


def mark_pareto(rows: list[Document]) -> None:
    """Mark the settings that no other beats in both, the highest memory and the most GC work."""
    known = [r for r in rows if not r["with_tracer"] and r["gc_work"] is not None]
    for each in rows:
        each["pareto"] = each in known and not any(
            other["usual_peak_mapped"] <= each["usual_peak_mapped"]
            and other["gc_work"][1] <= each["gc_work"][1]
            and (other["usual_peak_mapped"], other["gc_work"][1]) != (each["usual_peak_mapped"], each["gc_work"][1])
            for other in known
        )


def advice(pacing: Pacing) -> Document | None:
    """What to set for the budget, or why nothing is said."""
    if pacing.advice is None:
        return None
    found = pacing.advice.prediction
    told = None if found is None else row(pacing, found)
    return {"budget": pacing.advice.budget, "refused": pacing.advice.refused or None, "setting": told}


def notes(pacing: Pacing) -> list[str]:
    """What the reader must know."""
    seen = pacing.observed
    found = []
    if pacing.setting is None:
        found.append(
            "The recorded goals fit no one GOGC: the program sets it, or had a memory limit. Nothing can be compared with "
            "the recording; --recorded-gogc says what it was."
        )
    if pacing.off is not None and pacing.off > 0.1:
        found.append(
            f"The recorded setting is predicted {pacing.off:.0%} off: trust the other rows no more than that, and take no "
            "advice."
        )
    if seen.resolution is not None and seen.resolution > COARSE:
        found.append(
            f"Between two recorded collections the program allocated {seen.resolution:.2f} times what lives: when objects "
            "die is known no finer. A recording with GOGC=10 to 25 knows better: goalloc record --fine."
        )
    if pacing.tracer_bytes:
        found.append(
            f"The tracer's own {pacing.tracer_bytes / (1 << 20):.2f} MiB are in the first row, as they were in the "
            "recording, and in no other."
        )
    if any(found.zone == "thrashing" for found in pacing.predictions):
        found.append(
            "thrashing: the limit leaves so little room that the runtime's own limiter of GC time decides; real programs "
            "then pass the limit, or nearly stand still. No figures."
        )
    return found
