"""What to set, so that a program stays within a budget of memory and collects as little as it can."""

from __future__ import annotations

import math

from goalloc_cli.analyses.pace.pace import Pacer
from goalloc_cli.results.pacing import DOUBTFUL, MOST_OFF, Advice, Pacing, Prediction, Setting

LEFT_OVER = 0.05
"""Of the budget, for what the Go runtime does not count: the binary, the kernel's own."""
LEAST_GOGC, MOST_GOGC = math.ceil(100 * DOUBTFUL), 3200
STEPS, ROUNDS = 6, 3
"""GOGC is looked for between two values, in so many steps, again and again."""


def advise(pacer: Pacer, pacing: Pacing, budget: int) -> Advice:
    """The highest GOGC with which even the worst of the usual cases stays within the budget, and a memory limit as a net
    below it, for cycles that wait."""
    if pacing.off is None:
        return Advice(budget, None, "the recording does not tell its GOGC, so nothing checks the method; --recorded-gogc")
    if pacing.off > MOST_OFF:
        return Advice(budget, None, f"the recorded setting itself is predicted {pacing.off:.0%} off")
    within = int(budget * (1 - LEFT_OVER))
    low, high = LEAST_GOGC, MOST_GOGC
    best: Prediction | None = None
    for _ in range(ROUNDS):
        tried = pacer.predict([Setting(gogc) for gogc in between(low, high)])
        fitting = [found for found in tried if found.usual_peak_mapped <= within]
        if fitting:
            best = max([*fitting, *([best] if best else [])], key=lambda found: found.setting.gogc)
            low = best.setting.gogc
        above = [found.setting.gogc for found in tried if found.setting.gogc > low]
        high = min(above, default=high)
        if not fitting and best is None:
            return Advice(budget, None, f"GOGC={LEAST_GOGC} already needs more; less than that is mostly collecting")
    assert best is not None
    found = pacer.predict([Setting(best.setting.gogc, within >> 20 << 20)])[0]
    if found.zone in ("doubtful", "thrashing"):
        return Advice(budget, None, "the memory limit would leave the heap too little room")
    return Advice(budget, found)


def between(low: int, high: int) -> list[int]:
    """Values of GOGC from one to another, both included, each the same factor above the one before."""
    return list(dict.fromkeys(round(low * (high / low) ** (step / (STEPS - 1))) for step in range(STEPS)))


