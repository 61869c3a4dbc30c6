"""What a workload needs before its first event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.synth.mix import Shape
from goalloc_cli.synth.world import NONE


@dataclass(frozen=True)
class Plan:
    """The kernel of a workload, and what it is called with behind the world and the handles."""

    kernel: Callable[..., None]
    """Writes events until the world holds a batch of them."""
    shapes: tuple[Shape, ...]
    """What it allocates; the kernel knows them by their numbers, or draws by weight."""
    most_objects: int
    """Most objects alive at once."""
    state: tuple[Any, ...]
    """Arrays and records of its own."""
    names: tuple[str, ...] = ()
    """Names of its checkpoints; the first has number 1."""


def empty_slots(*lengths: int) -> NDArray[np.int64]:
    """Room for handles, none in it."""
    return np.full(lengths, NONE, np.int64)
