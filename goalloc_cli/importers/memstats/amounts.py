"""A number as it stands in a text, with its unit, as the bytes that it can mean."""

from __future__ import annotations

import math
import re
from reprlib import repr as brief

from goalloc_cli.errors import TraceError
from goalloc_cli.results.memstats import Amount, exactly

MOST = 1 << 64
"""Go's numbers are uint64; a scrape rounds the highest of them up to this."""
EXACT_FLOAT = 1 << 53
DECIMALS = 6
"""A number with more decimals than this was printed as a float, in full."""

NUMBER = r"[-+]?(?:0[xX][0-9a-fA-F]{1,17}|\d{1,40}(?:\.\d{1,40})?(?:[eE][-+]?\d{1,3})?|[nN]a[nN]|[iI]nf)"
UNIT = r"(?:(?:[kKMGT]i?)?[bB]|[kKMGT]i?B?|[bB]ytes?|[kKmMgG]ega[bB]ytes?)"
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def amount(text: str, unit: str, name: str, floats: bool = False) -> Amount:
    """The number that a text holds.

    Args:
        text: the number.
        unit: such as "", "B", "MiB" or "MB".
        name: whose it is, for errors.
        floats: whether numbers with units are floats printed in full: then a whole one is exact.

    Raises:
        TraceError: it is none that Go can have.
    """
    low, high = _units(unit)
    value = _checked(text, name)
    checked(value * high, name)
    if high == 1:
        return near(value)
    decimals = len(re.split(r"[eE]", text)[0].partition(".")[2])
    if floats or decimals > DECIMALS:
        return Amount(round(value * high), round(value * low), round(value * high))
    if not decimals:  # most people divide whole numbers
        return Amount(int(value * high), int(value * low), int((value + 1) * high) - 1)
    off = 10.0**-decimals / 2
    return Amount(round(value * high), math.floor((value - off) * low), math.ceil((value + off) * high))


def near(value: int | float) -> Amount:
    """A number without a unit; a float above 2^53 has been rounded."""
    if isinstance(value, float) and value > EXACT_FLOAT:
        off = int(value / EXACT_FLOAT) + 1
        return Amount(int(value), int(value) - off, int(value) + off)
    return exactly(int(value))


def checked(value: object, name: str) -> int | float:
    """A number of JSON that Go can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TraceError(f"{name} is {brief(value)}, which is no number")
    if not 0 <= value <= MOST:  # also NaN
        raise TraceError(f"{name} is {brief(value)}; Go's numbers lie from 0 to 2^64")
    return value


def _checked(text: str, name: str) -> int | float:
    if text[:2].lower() == "0x":
        return checked(int(text, 16), name)
    return checked(int(text) if text.lstrip("+-").isdecimal() else float(text), name)


def _units(unit: str) -> tuple[int, int]:
    """The least and the most bytes that a unit can mean: of "MB" nobody knows whether it is 10^6 or 2^20."""
    letters = unit.lower().removesuffix("ytes").removesuffix("yte")
    power = _POWERS.get(letters[:1], 0) if letters[:1] != "b" else 0
    return 1024**power if "i" in letters else 1000**power, 1024**power


__all__ = ["NUMBER", "UNIT", "amount", "checked", "near"]
