"""Examples of what kernels are called with, for what is compiled before it is called with the like.

All are contiguous, aligned and writable but for `READ`.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

BOOLS, BOOLS2 = np.zeros(0, np.bool_), np.zeros((0, 0), np.bool_)
U1, U2, U4, U8 = np.zeros(0, np.uint8), np.zeros(0, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.uint64)
I2, I4, I8 = np.zeros(0, np.int16), np.zeros(0, np.int32), np.zeros(0, np.int64)
I8_2, I8_3 = np.zeros((0, 0), np.int64), np.zeros((0, 0, 0), np.int64)
F8 = np.zeros(0)
READ = np.frombuffer(b"", np.uint8)
"""Bytes of an input."""

T = TypeVar("T")


def like(kind: type[T], **others: Any) -> T:
    """A NamedTuple of arrays as its annotations say, `NDArray[np.int64]`: each of one dimension, but for `others`."""
    hints = get_type_hints(kind)
    return kind(**{name: others[name] if name in others else np.zeros(0, element(hint)) for name, hint in hints.items()})


def element(hint: Any) -> Any:
    """The type of the elements of an annotated array."""
    return get_args(get_args(hint)[1])[0]


def rows(dtype: np.dtype[Any]) -> NDArray[np.void]:
    """An array of rows."""
    return np.zeros(0, dtype)
