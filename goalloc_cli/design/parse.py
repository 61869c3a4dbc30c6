"""Knobs as people write them: what `--set` takes, and what `goalloc design` prints."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from goalloc_cli.design.allocator import KNOBS, Design, contradiction
from goalloc_cli.errors import DesignError


def reason(name: str) -> str:
    """Why a knob is there, and which releases differ in it."""
    return next(str(f.metadata["reason"]) for f in KNOBS if f.name == name)


def as_text(name: str, value: int) -> str:
    """A knob's value as `--set` takes it: a choice by its name."""
    metadata = next(f.metadata for f in KNOBS if f.name == name)
    return str(metadata["choices"](value).name.lower()) if "choices" in metadata else str(value)


def with_knob(design: Design, name: str, value: str) -> Design:
    """`design` with the knob `name` set to `value`, as `--set NAME=VALUE` gives it.

    Raises:
        DesignError: no such knob, or a value that it cannot take; the message lists what there is.
    """
    changed = replace(design, **{name: parsed(name, value)})  # type: ignore[arg-type]
    if problem := contradiction(changed):
        raise DesignError(problem)
    return changed


def knob_problem(name: str, value: str) -> str:
    """Why a knob cannot be set to a value, whatever the others are; "" where it can."""
    try:
        parsed(name, value)
    except DesignError as error:
        return str(error)
    return ""


def parsed(name: str, value: str) -> int:
    """The value that a text stands for; raise DesignError where there is no such knob, or it cannot take it."""
    metadata: Any = next((f.metadata for f in KNOBS if f.name == name), None)
    if metadata is None:
        near = get_close_matches(name.lower(), [f.name for f in KNOBS], 1, 0.6)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise DesignError(f"there is no knob {name!r}; {meant}there are {', '.join(f.name for f in KNOBS)}")
    if choices := metadata.get("choices"):
        for member in choices:
            if value.lower() in (member.name.lower(), str(int(member))):
                return int(member)
        raise DesignError(f"knob {name}: there is no {value!r}; there are {', '.join(m.name.lower() for m in choices)}")
    try:
        number = int(value, 0)
    except ValueError:
        raise DesignError(f"knob {name}: {value!r} is not a whole number") from None
    if not metadata["least"] <= number <= metadata["most"]:
        raise DesignError(f"knob {name}: {number} is not within {metadata['least']} to {metadata['most']}")
    return number


def design_diff(one: Design, other: Design) -> list[str]:
    """The knobs in which two designs differ."""
    return [f.name for f in KNOBS if getattr(one, f.name) != getattr(other, f.name)]
