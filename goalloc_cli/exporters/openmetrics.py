"""Writes the heap at some moments as OpenMetrics text, under the names that Go's own runtime/metrics have in Prometheus.

(client_golang, prometheus/collectors: "/memory/classes/heap/objects:bytes" is go_memory_classes_heap_objects_bytes.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from goalloc_cli.exporters.names import shown
from goalloc_cli.results.exported.held import Measured
from goalloc_cli.results.outcome import LEDGER

FAMILIES: dict[str, tuple[str, Callable[[np.void], int]]] = {
    "go_memory_classes_heap_objects_bytes": (
        "Slots of objects, live or dead and not yet swept.",
        lambda sample: int(sample["heap_alloc"]),
    ),
    "go_memory_classes_heap_unused_bytes": (
        "What spans in use hold beside these.",
        lambda sample: int(sample["heap_inuse"] - sample["heap_alloc"]),
    ),
    "go_memory_classes_heap_free_bytes": (
        "Free pages that are backed by memory.",
        lambda sample: int(sample["heap_idle"] - sample["heap_released"]),
    ),
    "go_memory_classes_heap_released_bytes": (
        "Free pages that were given back to the operating system.",
        lambda sample: int(sample["heap_released"]),
    ),
    "go_memory_classes_heap_stacks_bytes": ("Goroutine stacks.", lambda sample: int(sample["stack_inuse"])),
    "go_gc_heap_goal_bytes": ("The size at which the next collection is to end.", lambda sample: int(sample["next_gc"])),
}
"""Gauges: what they are, and their value in a SAMPLE row."""
ROWS = "goalloc_ledger_bytes"


def write_openmetrics(measured: Measured) -> bytes:
    """All families, with a sample for each moment."""
    lines = []
    for name, (told, value) in FAMILIES.items():
        lines += head(name, told)
        lines += [f"{name}{labels(measured, at)} {value(sample)}" for at, sample in measured.moments.items()]
    lines += head(ROWS, "Where each byte of HeapInuse is: the rows sum to it.")
    for at, sample in measured.moments.items():
        lines += [f"{ROWS}{labels(measured, at, row=row)} {int(sample[row])}" for row in LEDGER]
    return "\n".join([*lines, "# EOF", ""]).encode()


def head(name: str, told: str) -> list[str]:
    return [f"# TYPE {name} gauge", f"# UNIT {name} bytes", f"# HELP {name} {told}"]


def labels(measured: Measured, at: str, **more: str) -> str:
    """{trace="...",design="...",at="..."}"""
    named = {"trace": measured.trace_name, "design": measured.design_name, "at": at, **more}
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in named.items()) + "}"


def escaped(value: str) -> str:
    """A label's value; a line break in it has become an escape before."""
    return shown(value).replace("\\", "\\\\").replace('"', '\\"')
