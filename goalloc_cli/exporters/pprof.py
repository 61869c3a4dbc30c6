"""Writes who holds the heap as a profile that `go tool pprof`, Pyroscope and speedscope read.

(github.com/google/pprof, proto/profile.proto.) One profile accounts for HeapSys: a column for each thing that its bytes can
be. Of these `inuse_objects` and `inuse_space` are what Go's own heap profile calls so: -diff_base compares the two.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import numpy as np

from goalloc_cli.exporters import protobuf as pb
from goalloc_cli.exporters.names import shown
from goalloc_cli.results.exported.held import IN_USE, OF_TRACER, Held
from goalloc_cli.results.outcome import Place
from goalloc_cli.results.who import goroutine, task

SAMPLE_TYPES = {
    "inuse_objects": "count",
    "inuse_space": "bytes",
    "heap_inuse": "bytes",
    "heap_sys": "bytes",
    **dict.fromkeys(IN_USE, "bytes"),
    "idle": "bytes",
    "released": "bytes",
    "stacks": "bytes",
    "workbufs": "bytes",
}
"""Each value of a sample, and its unit."""
DEFAULT = "heap_inuse"

WHERE = {
    Place.MCACHE: "mcache",
    Place.PARTIAL_SWEPT: "partial, swept",
    Place.FULL_SWEPT: "full, swept",
    Place.PARTIAL_UNSWEPT: "partial, not swept",
    Place.FULL_UNSWEPT: "full, not swept",
    Place.LARGE: "large",
}
"""Where a span is in which nothing lives."""

OF_RUNTIME = ("runtime.", "internal/runtime/")
"""How the functions begin that Go's heap profile leaves out where they end a stack (runtime/pprof/protomem.go)."""
SYSTEM_STACK = "runtime.systemstack"
"""What calls a function on the system stack; below it stand the calls of the goroutine that it works for."""
MOST_FRAMES = 256
"""Go keeps 128 (tracestack.go, traceStackSize); what is deeper is cut at the root."""

Frame = tuple[str, str, int]
"""Function, file and line; the last two are empty for what is no function."""


class Profile:
    """A profile to be. What it names is numbered as it comes."""

    def __init__(self) -> None:
        self._texts = {"": 0}
        self._frames: dict[Frame, int] = {}
        self._functions: dict[tuple[str, str], int] = {}
        self._samples: list[bytes] = []

    def add(self, frames: list[Frame], values: dict[str, int], labels: dict[str, str | int]) -> None:
        """Add a sample: its frames, the innermost first, its values by sample type, its labels (numbers are bytes)."""
        body = pb.packed(1, [self._frame(frame) for frame in frames])
        body += pb.packed(2, [values.get(name, 0) for name in SAMPLE_TYPES])
        for key, value in labels.items():
            said = pb.number(2, self._text(value)) if isinstance(value, str) else pb.number(3, value)
            unit = b"" if isinstance(value, str) else pb.number(4, self._text("bytes"))
            body += pb.raw(3, pb.number(1, self._text(key)) + said + unit)
        self._samples.append(pb.raw(2, body))

    def encoded(self, comments: list[str], duration_ns: int) -> bytes:
        """The whole profile, packed; the same samples give the same bytes."""
        head = [pb.raw(1, self._value_type(name, unit)) for name, unit in SAMPLE_TYPES.items()]
        tail = [pb.number(10, duration_ns), pb.raw(11, self._value_type("space", "bytes")), pb.number(12, 1)]
        tail += [pb.number(13, self._text(comment)) for comment in comments]
        tail.append(pb.number(14, self._text(DEFAULT)))
        out = [*head, *self._samples]
        for (name, file, line), at in self._frames.items():
            function = self._function(name, file)
            out.append(pb.raw(4, pb.number(1, at) + pb.raw(4, pb.number(1, function) + pb.number(2, line))))
        for (name, file), at in self._functions.items():
            # What is no function has no name that a linker knows: pprof then leaves it as it is.
            system = pb.number(3, self._text(name)) if file else b""
            named = pb.number(2, self._text(name)) + system + pb.number(4, self._text(file))
            out.append(pb.raw(5, pb.number(1, at) + named))
        out += [pb.text(6, text) for text in self._texts]
        return gzip.compress(b"".join([*out, *tail]), mtime=0)

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _frame(self, frame: Frame) -> int:
        return self._frames.setdefault(frame, len(self._frames) + 1)

    def _function(self, name: str, file: str) -> int:
        return self._functions.setdefault((name, file), len(self._functions) + 1)

    def _value_type(self, name: str, unit: str) -> bytes:
        return pb.number(1, self._text(name)) + pb.number(2, self._text(unit))


def write_pprof(held: Held) -> bytes:
    """The heap at one moment as a profile."""
    profile = Profile()
    for row in held.holdings:
        values = {name: int(row[name]) for name in IN_USE}
        values["heap_inuse"] = values["heap_sys"] = sum(values.values())
        values |= {"inuse_objects": int(row["objects"]), "inuse_space": int(row["space"])}
        profile.add(frames_of(held, row), values, labels_of(held, row))
    for frame, values in outside(held):
        profile.add([(frame, "", 0)], values, {})
    return profile.encoded(comments(held), int(held.sample["time_ns"]))


def frames_of(held: Held, row: np.void) -> list[Frame]:
    """The frames of a row, the innermost first: its call stack, or else its type, its class and HeapInuse."""
    if row["stack"]:
        return as_go_profiles(call_frames(held, int(row["stack"])), held.lacks_caller)
    what = type_name(held, row) if row["place"] < 0 else f"(no live object: {WHERE[Place(int(row['place']))]})"
    return [(what, "", 0), (f"class {class_name(row)}", "", 0), *owner_frames(held, row), ("HeapInuse", "", 0)]


def owner_frames(held: Held, row: np.void) -> list[Frame]:
    """Who allocated: the region and the task, the function that the goroutine began in, and the stack that made it."""
    if len(held.owners) < 2 or row["place"] >= 0:
        return []
    owner = int(row["owner"])
    entry, _, _ = goroutine(held, owner)
    task_type, region = task(held, owner)
    named = [f"region {shown(region)}"] * bool(region) + [f"task {shown(task_type)}"] * bool(task_type) + [shown(entry)]
    frames: list[Frame] = [(name, "", 0) for name in named]
    return [*frames, *as_go_profiles(call_frames(held, held.owners[owner].creator))] if owner > 0 else frames


def call_frames(held: Held, stack: int) -> list[Frame]:
    """The calls of a stack, the innermost first."""
    frames: list[Frame] = []
    at = stack
    while at and len(frames) < MOST_FRAMES:
        call = held.calls[at]
        function = held.functions[call.function]
        frames.append((shown(function.name), shown(function.file), call.line))
        at = call.caller
    return frames if at == 0 else [*frames, ("(more callers)", "", 0)]


def as_go_profiles(frames: list[Frame], lacks_caller: bool = False) -> list[Frame]:
    """What of a stack Go's heap profile shows: the runtime's calls at its end alone where there are no others.

    What runs on the system stack is a stack of its own, whoever it works for.
    """
    shown_frames = frames[int(lacks_caller) :] or frames
    ours = next((i for i, (name, _, _) in enumerate(shown_frames) if not name.startswith(OF_RUNTIME)), len(shown_frames))
    system = next((i for i, (name, _, _) in enumerate(shown_frames[:ours]) if name == SYSTEM_STACK), None)
    if system is not None:
        return shown_frames[: system + 1]
    return shown_frames[ours:] or shown_frames


def labels_of(held: Held, row: np.void) -> dict[str, str | int]:
    """What `go tool pprof -tags` and -tagfocus see; `bytes` is that of Go's own heap profile."""
    labels: dict[str, str | int] = {"bytes": int(row["slot"]), "class": class_name(row)}
    return labels if row["place"] >= 0 or (held.estimated and row["stack"]) else labels | {"type": type_name(held, row)}


def class_name(row: np.void) -> str:
    """288 B scan, large noscan."""
    size = f"{row['slot']} B" if row["spc"] >= 2 else "large"
    return f"{size} {'noscan' if row['spc'] & 1 else 'scan'}"


def type_name(held: Held, row: np.void) -> str:
    """The Go type; of strings and slices of bytes, and much of the runtime's own, a recording has none."""
    name = held.types[int(row["type"])] if row["type"] < len(held.types) else ""
    return "(execution tracer)" if row["place"] == OF_TRACER else shown(name) or "(no type)"


def outside(held: Held) -> Iterator[tuple[str, dict[str, int]]]:
    """What is no part of HeapInuse: a frame, and its values."""
    sample = held.sample
    released = int(sample["heap_released"])
    idle = int(sample["heap_idle"]) - released
    yield "HeapIdle", {"idle": idle, "heap_sys": idle}
    yield "HeapReleased", {"released": released, "heap_sys": released}
    yield "StackInuse", {"stacks": int(sample["stack_inuse"])}
    yield "GC work buffers", {"workbufs": int(sample["gc_workbufs"])}


def comments(held: Held) -> list[str]:
    """What `go tool pprof -comments` shows."""
    told = [
        f"goalloc: {shown(held.trace_name)}, {shown(held.design_name)}, at {shown(held.at)}",
        "free slots, dead objects, tails and metadata of a span are laid on what lives in it",
    ]
    if held.estimated:
        told.append(f"stacks are estimated: those of {shown(held.estimated)}, by slot size in proportion to live objects")
    return told
