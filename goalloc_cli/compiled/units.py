"""What is compiled together. A kernel takes in all that it calls, but for units: functions that stand apart (`jit.apart`),
in a file of their own. So units are compiled side by side, once, and shared by all kernels that call them.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from goalloc_cli.compiled.calls import BOOLEAN, INTEGER, NOTHING, RECORD, UNSIGNED, Kind, flatten, name_of
from goalloc_cli.host.late import late

HEAD = "goalloc code 2"
NUMBERS: dict[Any, Kind] = {int: INTEGER, bool: BOOLEAN, np.uint64: UNSIGNED}
RETURNS = {int: "int64", bool: "bool", None: NOTHING}
"""What a unit can say that it returns, or a tuple of these; and numba's names."""


class Part(NamedTuple):
    """A kernel, or a unit, for arguments of some types."""

    module: str
    name: str
    kinds: tuple[Kind, ...]

    @property
    def symbol(self) -> str:
        """The name of its function in compiled code, the same in every process."""
        digest = hashlib.sha256(name_of(self.kinds).encode()).hexdigest()[:16]
        return f"{self.module}.{self.name}-{digest}"

    @property
    def found(self) -> Any:
        """What the decorator made of it; its module has to be imported."""
        return getattr(sys.modules[self.module], self.name)


class Built(NamedTuple):
    """A kernel or a unit that is compiled."""

    returned: str
    """What it returns (`calls.RETURNED`), with commas."""
    calls: tuple[tuple[str, str], ...]
    """Module and name of each unit that it calls."""
    code: bytes
    """An object file for this processor."""

    def packed(self) -> bytes:
        """All of it: a line of text (`HEAD`, what is returned, the units, the SHA-256 of the rest), and the object file."""
        calls = " ".join(":".join(call) for call in self.calls)
        return "\t".join((HEAD, self.returned, calls, hashlib.sha256(self.code).hexdigest())).encode() + b"\n" + self.code


def unpacked(data: bytes) -> Built | None:
    """What was packed; None where it is damaged."""
    try:
        head, _, code = data.partition(b"\n")
        kind, returned, calls, digest = head.decode().split("\t")
        named = tuple((module, name) for call in calls.split() for module, name in [call.split(":")])
    except ValueError:
        return None
    return Built(returned, named, code) if (kind, digest) == (HEAD, hashlib.sha256(code).hexdigest()) else None


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What the annotations of a function are, by its parameters' names and "return"."""
    return inspect.get_annotations(function, eval_str=True)


def kinds_of(function: Callable[..., Any]) -> tuple[Kind, ...]:
    """What a unit is called with, by its annotations."""
    told = annotations_of(function)
    kinds: list[Kind] = []
    for name in function.__code__.co_varnames[: function.__code__.co_argcount]:
        example = told.get(name, int)
        if isinstance(example, np.dtype):
            kinds.append((RECORD, example))
        elif isinstance(example, type):
            kinds.append(NUMBERS[example])
        else:
            flatten((example,), kinds, [])
    return tuple(kinds)


def returned_by(function: Callable[..., Any]) -> str:
    """What a unit returns, by numba's name."""
    told = annotations_of(function)["return"]
    return ",".join(RETURNS[each] for each in getattr(told, "__args__", (told,)))


def called(function: Callable[..., Any]) -> Iterator[Any]:
    """The compiled functions that a function names."""
    names = function.__code__.co_names
    for name in names:
        found = function.__globals__.get(name)
        if isinstance(found, types.ModuleType):
            yield from (below for each in names if is_compiled(below := getattr(found, each, None)))
        elif is_compiled(found):
            yield found


def is_compiled(found: object) -> bool:
    """True for what a decorator of compiled functions made."""
    return hasattr(type(found), "_numba_type_")


def units_below(part: Part) -> list[Part]:
    """All units that a kernel or unit can reach, those that call others before these.

    So two who begin at the two ends compile little twice: what units share they share with their neighbours.
    """
    order: dict[Part, None] = {}

    def follow(at: Part, above: tuple[Part, ...]) -> None:
        for below in units_called(at.found.function):
            if below not in order and below not in above:
                follow(below, (*above, at))
        order[at] = None

    follow(part, ())
    del order[part]
    return list(order)[::-1]


ROOMS_AHEAD = {"importers.exectrace": "read", "analyses.verify": "verify"}
"""Rooms whose `ahead.PARTS` are the longest kernels of theirs, in the order of their calls; and who calls them."""
AHEAD = (
    ("goalloc_cli.model.loop", "replay_batch"),
    ("goalloc_cli.analyses.verify.follow", "run_set_right"),
)
"""Kernels that are called whatever the trace is: who has imported them, and compiles its reader first, will run them."""


def parts_ahead() -> list[Part]:
    """What will be called by those that were imported: the units of such kernels, each once, and the longest kernels of each
    such room."""
    kernels = [Part(module, name, ()) for module, name in AHEAD if module in sys.modules]
    units = dict.fromkeys(unit for kernel in kernels for unit in units_below(kernel))
    rooms = [room for room, caller in ROOMS_AHEAD.items() if f"goalloc_cli.{room}.{caller}" in sys.modules]
    return [*units, *(part for room in reversed(rooms) for part in late(f"{room}.ahead:PARTS"))]


def units_called(function: Callable[..., Any]) -> list[Part]:
    """The units that a function calls, by itself or through what is compiled into it."""
    found: dict[Part, None] = {}
    seen, waiting = {function}, [function]
    while waiting:
        for each in called(waiting.pop()):
            if hasattr(each, "part"):
                found[each.part] = None
            elif each.function not in seen:
                seen.add(each.function)
                waiting.append(each.function)
    return list(found)
