"""What of two sides cannot be laid beside each other, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

Document = dict[str, Any]

SIZES = "one side knows the sizes that were asked for, the other only slots"
PACKED = "Go 1.23 does not record tiny allocations that are packed"
TOUCHED = "the memory that a heap of Go 1.12 and older grows by counts as touched"
SWEEPER = "on one side the recording's sweeping was followed, on the other the model's own sweeper decided"
START = "one recording begins with the program, the other later"
PS = "what Ps hold for themselves: their numbers differ"

REQUESTED = ("end_requested", "peak_requested", "end_rounding", "peak_rounding", "peak_requested_share",
             "end_requested_share", "end_class_rounding", "end_large_rounding", "end_tiny_waste")  # fmt: skip
COUNTS = ("Mallocs", "Frees", "HeapObjects")
RESIDENT = ("peak_rss", "end_rss", "end_rss_low", "end_rss_high")
SWEPT = ("end_dead", "peak_dead", "end_free", "peak_free", "end_idle_backed", "end_HeapReleased", "end_HeapIdle",
         "end_dead_unswept", "end_dead_unfound", "end_free_slots", "end_free_slots_cached", *RESIDENT)  # fmt: skip
SINCE_START = ("TotalAlloc", "NumGC", "duration", *COUNTS)
CACHED = ("end_free", "peak_free", "end_free_slots_cached", "end_idle_backed")

Same = Callable[[Document], object]
"""What has to be alike on both sides."""


def lacks_packed(document: Document) -> bool:
    """Whether tiny allocations that were packed are missing."""
    trace = document["trace"]
    is_1_23 = ".".join(str(trace["go_version"]).split(".")[:2]) == "1.23"
    return is_1_23 and bool(trace["hints"]) and not trace["recorded"] and not trace["events"].get("tiny")


RULES: tuple[tuple[Same, tuple[str, ...], str], ...] = (
    (lambda d: d["trace"]["sizes"], REQUESTED, SIZES),
    (lacks_packed, COUNTS, PACKED),
    (lambda d: d["design"]["knobs"]["growth_released"], RESIDENT, TOUCHED),
    (lambda d: d["design"]["mode"] == "recorded", SWEPT, SWEEPER),
    (lambda d: d["trace"]["from_start"], SINCE_START, START),
    (lambda d: d["trace"]["gomaxprocs"], CACHED, PS),
)


def unfit(a: Sequence[Document], b: Sequence[Document]) -> dict[str, str]:
    """The figures that are not to be compared, by key, with the reason."""
    both = [*a, *b]
    if {document["schema"] for document in both} != {"goalloc replay"}:
        return {}
    found: dict[str, str] = {}
    for same, keys, why in RULES:
        if len({same(document) for document in both}) > 1:
            found |= {key: why for key in keys if key not in found}
    return found


def remarks(a: Sequence[Document], b: Sequence[Document]) -> list[str]:
    """What else a reader must know, a sentence each."""
    both = [*a, *b]
    notes = list(dict.fromkeys(unfit(a, b).values()))
    found = [f"Not compared: {why}." for why in notes]
    if len({document.get("model_version") for document in both}) > 1:
        found.append("One side was saved by another version of the model: what differs may be that; replay the trace again.")
    lossy = [document for document in both if any((document.get("lost") or {}).values())]
    if lossy:
        found.append(f"Events are missing in {names_of(lossy)}: see its own notes.")
    return [*found, *not_followed(both)]


def not_followed(documents: Sequence[Document]) -> list[str]:
    """That saved replays do not tell who has what alive, where others do, or might."""
    replays = [document for document in documents if document["schema"] == "goalloc replay"]
    names = {document["trace"]["name"] for document in replays}
    lacking = [document for document in replays if "who" not in document]
    if not lacking or len(names) == 1:
        return []
    return [f"Who has more alive is not told: the replay of {names_of(lacking)} was saved without --report who."]


def names_of(documents: Sequence[Document]) -> str:
    """The traces by name, each once; not by folder: where they lay is nobody's business."""
    return ", ".join(dict.fromkeys(PurePath(document["trace"]["name"]).name for document in documents))
