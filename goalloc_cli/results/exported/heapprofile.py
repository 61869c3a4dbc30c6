"""A heap profile of Go's, as far as it tells where objects of which slot size were allocated."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.trace.event import Call, Function


@dataclass(frozen=True)
class ProfileSample:
    """Live objects of one slot size that were allocated under one stack."""

    stack: int
    """A number of HeapProfile.calls."""
    slot: int
    """Bytes of the slot (label "bytes")."""
    objects: int


@dataclass(frozen=True)
class HeapProfile:
    """What lives, by stack and slot size."""

    name: str
    samples: list[ProfileSample]
    functions: list[Function]
    calls: list[Call]
