"""How a knob of the allocator is declared: its default, its bounds and its reason."""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum
from typing import Any


def knob(default: int, least: int, most: int, reason: str) -> Any:
    """A knob that takes whole numbers from `least` to `most`."""
    return field(default=default, metadata={"least": least, "most": most, "reason": reason})


def choice(default: IntEnum, reason: str) -> Any:
    """A knob that takes a member of an enumeration, by name or number."""
    return field(default=default, metadata={"choices": type(default), "reason": reason})


def switch(default: int, reason: str) -> Any:
    """A knob that is on (1) or off (0)."""
    return knob(default, 0, 1, reason)
