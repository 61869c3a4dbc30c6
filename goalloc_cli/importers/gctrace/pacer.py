"""The lines of GODEBUG=gcpacertrace=1, which Go prints before the line of the collection that they are of.

Go: mgcpacer.go, startCycle and endCycle (mgc.go until 1.16); mgcsweep.go. 1.5 to 1.17 print the terms of the pacer's design
(H_T, H_a, H_g, u_a, u_g), 1.18 and later words.
"""

from __future__ import annotations

import re

from goalloc_cli.results.gctrace import Pace

_N = rb"(\d{1,20})"
_S = rb"(-?\d{1,20})"
_F = rb"([-+]?\d{1,12}(?:\.\d{1,12})?(?:e[-+]\d{1,4})?|[-+]?Inf|NaN)"
WORDS = re.compile(
    rb"pacer: " + _S + rb"% CPU \(" + _S + rb" exp\.\) for " + rb"\+".join([_N] * 3) + rb" B work \(" + _N
    + rb" B exp\.\) in " + _N + rb" B -> " + _N + rb" B \(.{0,6}goal " + _S + rb", cons/mark " + _F
)  # fmt: skip
TERMS = re.compile(
    rb"pacer: H_m_prev=" + _N + rb" h_t=" + _F + rb" H_T=" + _N + rb" h_a=" + _F + rb" H_a=" + _N + rb" h_g=" + _F
    + rb" H_g=" + _S + rb" u_a=" + _F + rb" u_g=" + _F + rb" W_a=" + _N
)  # fmt: skip
START = re.compile(
    rb"pacer: assist ratio=" + _F + rb" \(scan " + _N + rb" MB in " + _N + rb"->" + _N + rb" MB\) workers=" + _N
)
SWEPT = re.compile(
    rb"pacer: sweep done at heap size " + _N + rb"MB; allocated -?\d{1,20}MB .{0,14}; swept " + _N + rb" pages"
)


def pace(line: bytes, run: int, number: int) -> Pace | None:
    """What is told at the end of cycle `number`; None where the line is another."""
    if match := WORDS.search(line):
        used, wanted, heap, stacks, others, expected, trigger, end, over = (int(part) for part in match.groups()[:9])
        return Pace(
            run, number, used / 100, wanted / 100, heap + stacks + others, expected, trigger, end, end - over, None,
            finite(match[10]),
        )  # fmt: skip
    if match := TERMS.search(line):
        marked, _, start, _, stop, _, goal, cpu, aim, scanned = match.groups()
        return Pace(
            run, number, finite(cpu), finite(aim), int(scanned), None, int(start), int(stop), int(goal), int(marked), None
        )
    return None


def finite(text: bytes) -> float | None:
    """A number of print, which may be none."""
    return None if text[-3:] in (b"Inf", b"NaN") else float(text)
