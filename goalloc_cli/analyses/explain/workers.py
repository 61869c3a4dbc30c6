"""For whom each P allocates, as far as a trace tells."""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.results.who import goroutine, task
from goalloc_cli.trace.event import KIND_MASK, Batch, Call, Function, Kind, Owner


class Workers:
    """Follows the events of a trace, batch by batch."""

    def __init__(self) -> None:
        self.owners = [Owner(0, 0, "", "", 0)]
        self.functions = [Function("", "")]
        self.calls = [Call(0, 0, 0)]
        self._works_for: dict[int, int] = {}

    def add(self, batch: Batch) -> None:
        """Follow a batch."""
        self.owners += batch.new_owners
        self.functions += batch.new_functions
        self.calls += batch.new_calls
        at = np.flatnonzero(batch.kind & KIND_MASK == Kind.WORKS_FOR)
        self._works_for.update(zip(batch.p[at].tolist(), batch.arg[at].tolist(), strict=True))

    def of(self, p: int) -> dict[str, Any] | None:
        """For whom a P works; None where it is not known."""
        return self.named(self._works_for.get(p, 0))

    def named(self, owner: int) -> dict[str, Any] | None:
        """An owner, as a document has it."""
        if not 0 < owner < len(self.owners):
            return None
        entry, made_by, runtime = goroutine(self, owner)
        names = dict(zip(("task", "region"), task(self, owner), strict=True))
        return {"entry": entry, "created_by": made_by, "runtime": runtime, **names,
                "in_words": in_words(entry, made_by, names)}  # fmt: skip


def in_words(entry: str, made_by: str, names: dict[str, str]) -> str:
    """Who it is, for a sentence."""
    made = f", made by {made_by}" if made_by else ""
    within = "".join(f", {what} {name}" for what, name in names.items() if name)
    return f"{entry if entry.startswith('(') else f'a goroutine that began in {entry}'}{made}{within}"
