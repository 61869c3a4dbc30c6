"""What a recording lacks: events that were lost, and what was inferred in their place."""

from __future__ import annotations

from dataclasses import asdict, dataclass

INFERRED = {
    "births": "births of objects that are freed later",
    "deaths": "deaths of objects whose slot or span is used again",
    "spans": "ends of spans that others lie on",
    "made": "births of spans that objects lie in",
}
LEFT_OUT = {
    "nowhere": "objects in no span that is known",
    "unborn": "frees of objects that cannot have been",
    "spanless": "frees of spans that are not known",
    "misplaced": "objects outside the slots of their span",
    "impossible": "spans that cannot be",
}


@dataclass
class Lost:
    """How much of a recording is missing. Nothing of it: every figure is as exact as the recording."""

    numbers: int = 0
    """Starts, steals and system calls of Ps that are missing or stand twice."""
    batches: int = 0
    """Batches of events whose rest cannot be read."""
    types: int = 0
    """Allocations whose type has no name."""
    births: int = 0
    deaths: int = 0
    spans: int = 0
    made: int = 0
    nowhere: int = 0
    unborn: int = 0
    spanless: int = 0
    misplaced: int = 0
    impossible: int = 0
    bytes: int = 0
    """What the inferred births and deaths are about, by their slots."""
    unnamed: int = 0
    """Bytes that the recording's heapLive counts and none of its objects is."""

    @property
    def inferred(self) -> int:
        """Events that were put in."""
        return sum(getattr(self, name) for name in INFERRED)

    @property
    def left_out(self) -> int:
        """Events that were left out."""
        return sum(getattr(self, name) for name in LEFT_OUT)

    @property
    def events(self) -> int:
        """Events that are missing, as far as that shows."""
        return self.inferred + self.left_out

    def __bool__(self) -> bool:
        return bool(self.numbers or self.batches or self.types or self.events or self.unnamed)

    def sentences(self) -> list[str]:
        """What a reader must know."""
        found = []
        if self.numbers:
            found.append(f"Events were lost: of the numbered ones of the Ps {self.numbers:,} are missing or stand twice.")
        if self.batches:
            found.append(f"Batches of events whose rest is damaged, and was left out: {self.batches:,}.")
        if self.types:
            found.append(f"Of {self.types:,} allocations the type is not known: its name was lost.")
        if self.inferred:
            found.append(f"Inferred, since their events were lost: {self._listing(INFERRED)}.")
        if self.left_out:
            found.append(f"Left out, since other events were lost: {self._listing(LEFT_OUT)}.")
        return found

    def _listing(self, names: dict[str, str]) -> str:
        return ", ".join(f"{getattr(self, name):,} {what}" for name, what in names.items() if getattr(self, name))

    def counts(self) -> dict[str, int]:
        """What is not 0, by name."""
        return {name: n for name, n in asdict(self).items() if n}
