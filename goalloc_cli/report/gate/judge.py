"""Whether limits hold: a document against numbers, and against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from statistics import median
from typing import Any

from goalloc_cli.report.figures.catalogue import CATALOGUES
from goalloc_cli.report.figures.figure import Document
from goalloc_cli.report.figures.ranks import ALPHA, mann_whitney
from goalloc_cli.report.gate.rules import Limit, Rule, RuleError, limit

Verdict = dict[str, Any]


def limits(rules: Sequence[Rule], schema: str, has_baseline: bool) -> list[Limit]:
    """The rules as limits of a kind of document; raise RuleError where one says nothing of it."""
    found = [limit(rule, CATALOGUES[schema]) for rule in rules]
    for one in found:
        if one.rule.change and not has_baseline:
            raise RuleError(f"--fail-on {one.rule.text!r} is a change, and --baseline does not say of what")
    return found


def asked(rules: Sequence[Rule], schema: str) -> set[str]:
    """The reports that have to be made so that a kind of document tells what the rules are about."""
    owned = [CATALOGUES[schema].find_owned(rule.name) for rule in rules if rule.which is not None]
    return {each.asked for each in owned if each is not None and each.asked}


def refuse_unfit(bounds: Sequence[Limit], rows: Sequence[Document]) -> None:
    """Raise RuleError where a limit is about a change of what cannot be compared."""
    why = {row["key"]: row["why_not"] for row in rows if row["why_not"]}
    for one in bounds:
        if one.rule.change and one.figure.key in why:
            raise RuleError(f"--fail-on {one.rule.text!r}: {one.figure.name} cannot be compared here: {why[one.figure.key]}")


def judged(bounds: Sequence[Limit], now: Sequence[Document], before: Sequence[Document] = ()) -> list[Verdict]:
    """A verdict for each limit: `now` is held against numbers, and against the documents `before`.

    Of several documents the medians are judged, and a change only counts where chance makes it less often than in one case
    of twenty.
    """
    return [verdict(one, now, before) for one in bounds]


def verdict(bound: Limit, now: Sequence[Document], before: Sequence[Document]) -> Verdict:
    """Whether one limit holds."""
    rule, figure = bound.rule, bound.figure
    values = told(bound, now)
    found: Verdict = {
        "rule": rule.text, "figure": figure.key, "name": figure.name, "unit": figure.unit,
        "value": middle(values), "base": None, "change": None, "share": None, "p": None, "crossed": False,
        "absent": bound.absent([*now, *before]),
    }  # fmt: skip
    if not values:
        return found
    if not rule.change:
        return found | {"crossed": bound.crossed(found["value"])}
    bases = told(bound, before)
    base = middle(bases)
    change = found["value"] - base
    share = change / base if base else inf if change > 0 else -inf if change < 0 else 0.0
    p = mann_whitney(bases, values) if len(bases) + len(values) > 2 else None
    crossed = bound.crossed(share if bound.relative else change) and (p is None or p < ALPHA)
    return found | {"base": base, "change": change, "share": share if base else None, "p": p, "crossed": crossed}


def told(bound: Limit, documents: Sequence[Document]) -> list[int | float]:
    """The figure in each document; raise RuleError where one does not tell it, but for a row without a case."""
    values = [bound.figure.of(document) for document in documents]
    if None in values and bound.figure.unit != "percent":
        ask = f"; goalloc replay --report {bound.figure.asked} tells it" if bound.figure.asked else ""
        raise RuleError(f"--fail-on {bound.rule.text!r}: {bound.figure.name}: that is not told here{ask}")
    return [value for value in values if value is not None]


def middle(values: Sequence[int | float]) -> Any:
    """The median, whole where all are whole; None of none."""
    if not values:
        return None
    found = median(values)
    return found if isinstance(found, int) or not all(isinstance(value, int) for value in values) else round(found)

