"""Functions and call stacks, numbered in the order in which they come: each call once with what called it."""

from __future__ import annotations

from collections.abc import Sequence

from goalloc_cli.trace.event import Call, Function
from goalloc_cli.trace.ranges import MAX_STACKS

MOST_LINE = 0xFFFFFFFF
"""Of a line of source, as a trace holds it."""


class CallTable:
    """All functions and calls so far. Numbers start with 1; 0 is the empty stack, and what there is no room for."""

    def __init__(self) -> None:
        self.functions: list[Function] = []
        self.calls: list[Call] = []
        self._function: dict[tuple[str, str], int] = {}
        self._call: dict[Call, int] = {}

    def function(self, name: str, file: str) -> int:
        """The number of a function."""
        if (name, file) not in self._function:
            self.functions.append(Function(name, file))
            self._function[name, file] = len(self.functions)
        return self._function[name, file]

    def stack(self, frames: Sequence[tuple[str, str, int]]) -> int:
        """The number of a stack of frames (function, file, line), the innermost first."""
        if len(self.calls) + len(frames) >= MAX_STACKS:
            return 0
        caller = 0
        for name, file, line in reversed(frames):
            call = Call(self.function(name, file), min(max(line, 0), MOST_LINE), caller)
            if call not in self._call:
                self.calls.append(call)
                self._call[call] = len(self.calls)
            caller = self._call[call]
        return caller
