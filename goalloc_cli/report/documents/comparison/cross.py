"""Program or allocator: each side's trace under the allocator of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.figures.catalogue import CATALOGUES
from goalloc_cli.report.gate.judge import middle

Document = dict[str, Any]

ROWS = ("peak_HeapInuse", "end_HeapInuse", "end_HeapSys", "end_rss",
        "end_requested", "end_rounding", "end_fixed", "end_unused")  # fmt: skip


def cross(
    recorded: tuple[Sequence[Document], Sequence[Document]],
    under_a: tuple[Sequence[Document], Sequence[Document]],
    under_b: tuple[Sequence[Document], Sequence[Document]],
) -> Document:
    """The change from A to B, split.

    What the allocator did is what another one makes of the same trace, on average of A's trace and B's; what the program did
    is what another trace makes under the same allocator, on average of both. The two sum to the change with the model's own
    sweeper. What is left of the change between the replays as they were is what the recordings tell of their own sweeping.

    Args:
        recorded: the replays of A and of B as they are compared.
        under_a: the traces of A and of B under A's allocator, with the model's own sweeper.
        under_b: the same under B's.
    """
    figures = {figure.key: figure for figure in CATALOGUES["goalloc replay"].figures}
    rows = []
    for key in ROWS:
        as_is, own_a, own_b = (
            [middle([figures[key].of(document) or 0 for document in documents]) for documents in side]
            for side in (recorded, under_a, under_b)
        )
        rows.append({"key": key, "name": figures[key].name, "unit": figures[key].unit, **split(as_is, own_a, own_b)})
    return {
        "allocator_a": under_a[0][0]["design"]["name"].removesuffix(" own"),
        "allocator_b": under_b[0][0]["design"]["name"].removesuffix(" own"),
        "rows": rows,
    }


def split(as_is: Sequence[int], under_a: Sequence[int], under_b: Sequence[int]) -> Document:
    """One figure: its four values with the model's own sweeper, and the parts, which sum to the change as it is."""
    (aa, ba), (ab, bb) = under_a, under_b
    change, own = as_is[1] - as_is[0], bb - aa
    # Half a byte goes to the program, whichever side is which, so that the parts are whole and sum.
    twice = (ab - aa) + (bb - ba)
    allocator = abs(twice) // 2 * (1 if twice > 0 else -1)
    return {
        "a_under_a": aa, "a_under_b": ab, "b_under_a": ba, "b_under_b": bb,
        "change": change, "allocator": allocator, "program": own - allocator, "sweeping": change - own,
        "allocator_of_a": ab - aa, "allocator_of_b": bb - ba,
    }  # fmt: skip
