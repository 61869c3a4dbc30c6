"""What a kernel is called with and returns, as compiled code takes it: numbers and addresses, in the order of numba.

An array is seven words and more: its owner (two, none here), how many elements, how long each, where, and for each dimension
its length and step; a record is an address; a tuple is what is in it, one after the other. (numba: core/datamodel/models.py)
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

Flat: TypeAlias = list[int | float | None]
Kind: TypeAlias = Any
"""Of one argument: a letter for a number, the dtype and the shape's kind for an array or a record."""

INTEGER, UNSIGNED, BOOLEAN, FLOAT, RECORD, ARRAY = "i", "u", "b", "f", "record", "array"


def address_by_name(array: np.ndarray) -> int:
    """Where the elements of an array are: NumPy's own way, two microseconds."""
    return int(array.ctypes.data)


def address_in_place(array: np.ndarray) -> int | None:
    """The same from the object itself, in a tenth of the time. (NumPy: PyArrayObject_fields)"""
    return in_memory(id(array) + HEADER).value


HEADER = object.__basicsize__
"""Bytes before the first field of an object."""
in_memory = ctypes.c_void_p.from_address
probe = np.zeros(1)
address = address_in_place if address_in_place(probe) == address_by_name(probe) else address_by_name


def flatten(arguments: Sequence[Any], kinds: list[Kind], flat: Flat) -> None:
    """Append what each argument is, which has to be alike for the same code to take it, and its words.

    All integers are alike but for NumPy's uint64, the words of bitmaps.
    """
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            flags = argument.flags
            kinds.append((ARRAY, argument.dtype, argument.ndim, flags.c_contiguous, flags.writeable, flags.aligned))
            flat += (None, None, argument.size, argument.itemsize, address(argument), *argument.shape, *argument.strides)
        elif isinstance(argument, tuple):
            kinds.append((type(argument), len(argument)))
            flatten(argument, kinds, flat)
        elif isinstance(argument, np.void):
            # A view: a row knows its place only so.
            kinds.append((RECORD, argument.dtype))
            flat.append(address(np.asarray(argument)))
        elif isinstance(argument, (bool, np.bool_)):
            kinds.append(BOOLEAN)
            flat.append(int(argument))
        elif isinstance(argument, np.uint64):
            kinds.append(UNSIGNED)
            flat.append(int(argument))
        elif isinstance(argument, (int, np.integer)):
            kinds.append(INTEGER)
            flat.append(int(argument))
        elif isinstance(argument, (float, np.floating)):
            kinds.append(FLOAT)
            flat.append(float(argument))
        else:
            raise TypeError(f"a kernel takes arrays, records and numbers, no {type(argument).__name__}")


WORDS: dict[Kind, list[Any]] = {
    INTEGER: [ctypes.c_int64],
    UNSIGNED: [ctypes.c_uint64],
    BOOLEAN: [ctypes.c_uint8],
    FLOAT: [ctypes.c_double],
    RECORD: [ctypes.c_void_p],
}


NOTHING = "none"
RETURNED = {"int64": ctypes.c_int64, "uint64": ctypes.c_uint64, "bool": ctypes.c_uint8, "float64": ctypes.c_double}
"""What a kernel can return, or a tuple of these, by numba's names."""


def words(kinds: Sequence[Kind]) -> list[Any]:
    """The C type of each word."""
    found: list[Any] = []
    for kind in kinds:
        if kind[0] == ARRAY:
            found += [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
            found += [ctypes.c_int64] * (2 * kind[2])
        elif isinstance(kind[0], str):
            found += WORDS[kind[0]]
    return found


def name_of(kinds: Sequence[Kind]) -> str:
    """A name for what arguments are, the same in every process."""
    return " ".join(
        "(" + kind[0].__qualname__ + f" {kind[1]}" if isinstance(kind[0], type)
        else " ".join(name_of_dtype(part) if isinstance(part, np.dtype) else str(part) for part in kind)
        for kind in kinds
    )  # fmt: skip


@cache
def name_of_dtype(dtype: np.dtype) -> str:
    """A name for a dtype: of a record, its columns and where they are. What is in a column of records its size tells, and
    the sources, which name the folder."""
    if dtype.fields is None:
        return str(dtype.base.str) + str(dtype.shape)
    columns = [(name, kind.base.str, kind.shape, at) for name, (kind, at, *_) in dtype.fields.items()]
    return hashlib.sha256(repr((dtype.itemsize, columns)).encode()).hexdigest()[:16]
