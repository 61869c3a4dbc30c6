"""Events that are put into a batch, and batches that got too long by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import ALL_COLUMNS, BATCH, Batch


def put_in(batch: Batch, before: NDArray[np.intp], **columns: NDArray[Any]) -> Iterator[Batch]:
    """The batch with new events, in as many batches as it takes.

    Args:
        before: in front of which event each goes, shape (n,); the batch's length is behind the last.
        columns: what they hold, each of shape (n,); 0 in the others.
    """
    new: dict[str, Any] = {}
    for name in ALL_COLUMNS:
        if (column := getattr(batch, name)) is not None:
            new[name] = np.insert(column, before, columns.get(name, 0))
    whole = replace(batch, **new)
    for first in range(0, max(1, len(whole)), BATCH):
        piece = replace(whole, **{name: column[first : first + BATCH] for name, column in new.items()})
        # What a batch is the first to use comes with its first part.
        yield piece if not first else piece.without_news()
