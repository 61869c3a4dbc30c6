"""A trace that goes on where another ended: its types and names are numbered on from those of the other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from goalloc_cli.trace.event import KIND_MASK, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Trace

T = TypeVar("T", bound=Hashable)

_TYPED = np.isin(np.arange(256) & KIND_MASK, [Kind.ALLOC, Kind.TINY, Kind.SNAP_OBJECT, Kind.SNAP_DEAD])
_NAMED = np.isin(np.arange(256) & KIND_MASK, [Kind.CHECKPOINT])


class Numbers:
    """Which number an entry of this trace's table has in the joint one."""

    def __init__(self, known: Sequence[Hashable]) -> None:
        """`known`: entry 0, "not known", and all that the other trace brought."""
        self._number = {entry: number for number, entry in reversed(list(enumerate(known)))}
        self._count = len(known)
        self._joint = [0]

    def enter(self, new: Sequence[T]) -> list[T]:
        """Number new entries; return those that the joint table does not have yet."""
        fresh = []
        for entry in new:
            if entry not in self._number:
                self._number[entry] = self._count
                self._count += 1
                fresh.append(entry)
            self._joint.append(self._number[entry])
        return fresh

    @property
    def joint(self) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
        """Joint numbers by this trace's own."""
        return np.array(self._joint, np.uint32)


def continued(trace: Trace, types: Sequence[TypeInfo], names: Sequence[str]) -> Trace:
    """The same trace, with the numbers that its types and names have in a table that begins with these."""
    type_numbers, name_numbers = Numbers(types), Numbers(names)

    def batches() -> Iterator[Batch]:
        for batch in trace.batches:
            fresh = type_numbers.enter(batch.new_types), name_numbers.enter(batch.new_names)
            arg = batch.arg.copy()
            for numbers, mine in ((type_numbers, _TYPED[batch.kind]), (name_numbers, _NAMED[batch.kind])):
                arg[mine] = numbers.joint[arg[mine]]
            # A replay does not look at stacks, which would have to be numbered on as well.
            kept = replace(batch, stack=None, new_functions=[], new_calls=[])
            yield replace(kept, arg=arg, new_types=fresh[0], new_names=fresh[1])

    return replace(trace, batches=batches())
