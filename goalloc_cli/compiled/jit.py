"""The decorators of compiled functions. None of them needs the compiler: what was compiled before runs without it.

Where code is kept says `keeping.py`, what is compiled together `units.py`, how it is run `machine.py`, and how it is made
`building.py`, which alone knows numba.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import functools
import os

import numpy as np

from goalloc_cli.compiled.calls import RECORD, Flat, Kind, flatten
from goalloc_cli.compiled.machine import Code, ready
from goalloc_cli.compiled.units import Part, kinds_of

AS_PYTHON = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
"""Kernels run as the Python that they are written in, for a debugger."""


class Inner:
    """A compiled function that only kernels call: the compiler asks for its type when it meets it, and makes it then."""

    def __init__(self, function, **options) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.options = options

    @functools.cached_property
    def _numba_type_(self):
        from goalloc_cli.compiled.building import type_of_inner

        return type_of_inner(self.function, self.options)


class Operation(Inner):
    """One of the operations of the processor that Python has no word for (`operations.py`)."""

    @functools.cached_property
    def _numba_type_(self):
        from goalloc_cli.compiled.building import type_of_operation

        return type_of_operation(self.function.__name__)


class Unit(Inner):
    """A compiled function that stands apart: it has a file of its own, which all kernels share that call it.

    Its annotations say what it is compiled for: a dtype is a row of that type, an array or a tuple one like it, and what has
    none is an integer.
    """

    @functools.cached_property
    def part(self) -> Part:
        """What is compiled."""
        return Part(self.function.__module__, self.function.__name__, kinds_of(self.function))

    @functools.cached_property
    def _numba_type_(self):
        from goalloc_cli.compiled.building import type_of_unit

        return type_of_unit(self.function, self.part)


class Kernel(Inner):
    """A compiled function that Python calls: compiled when first called with arguments of some types, and kept."""

    def __init__(self, function, **options) -> None:
        super().__init__(function, **options)
        self.codes: dict[tuple[Kind, ...], Code] = {}
        self.expected: Part | None = None
        """For which arguments it can be compiled before it is called."""

    def __call__(self, *arguments):
        kinds: list[Kind] = []
        flat: Flat = []
        flatten(arguments, kinds, flat)
        code = self.codes.get(key := tuple(kinds))
        if code is None:
            code = self.codes[key] = ready(Part(self.function.__module__, self.function.__name__, key))
        return code(flat)


def expected(kernel, *arguments) -> Part:
    """What is compiled of a kernel that will be called with the like of these arguments; a dtype stands for a row of it."""
    kinds: list[Kind] = []
    for argument in arguments:
        if isinstance(argument, np.dtype):
            kinds.append((RECORD, argument))
        else:
            flatten((argument,), kinds, [])
    part = Part(kernel.__module__, kernel.__name__, tuple(kinds))
    if isinstance(kernel, Kernel):
        kernel.expected = part
    return part


def kernel(function):
    """A compiled function that Python calls. It only reads and writes the arrays that it is given, and makes none.

    No reference to an array is counted: handing thirty of them to small functions costs 600 ns an event, and 15 ns so.
    """
    return function if AS_PYTHON else Kernel(function)


def inner(function):
    """A compiled function that only kernels call. It is compiled into them."""
    return function if AS_PYTHON else Inner(function)


def hot(function):
    """An inner kernel that is written out in each of its callers: for what nearly every event runs through."""
    return function if AS_PYTHON else Inner(function, forceinline=True)


def apart(function):
    """An inner kernel that is compiled by itself (`Unit`): for what few events need, beside what all run through."""
    return function if AS_PYTHON else Unit(function)


def operation(function):
    """An operation of the processor; the function says the same in Python."""
    return function if AS_PYTHON else Operation(function)
