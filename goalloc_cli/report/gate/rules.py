"""A limit as people write it: HeapInuse>+5%, free_slots>+1MiB, live[main.cache]>64MiB, slot<99.9.

    FIGURE [WHICH] OPERATOR NUMBER UNIT

The operator is what must not be: >, >=, < or <=. A number with a sign is a change against a baseline, in a unit or in
per cent of what it was; one without is the figure itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import ge, gt, le, lt

from goalloc_cli.errors import USAGE, ToldError
from goalloc_cli.report.figures.figure import Catalogue, Document, Figure, Owned, Value

FORM = re.compile(
    r"\s*(?P<name>[A-Za-z][\w -]*?)\s*(?:\[(?P<which>.*)\])?\s*(?P<operator><=|>=|<|>)\s*"
    r"(?P<sign>[+-]?)(?P<number>\d{1,18}(?:\.\d{1,9})?)\s*(?P<unit>%|[A-Za-z]*)\s*",
    re.ASCII | re.DOTALL,
)
LONGEST = 1000
"""Characters of a rule: the name of a type may be long."""
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
UNITS: Mapping[str, Mapping[str, float]] = {
    "bytes": {
        "": 1,
        "b": 1,
        **{f"{unit}b": 1000**n for n, unit in enumerate("kmgt", 1)},
        **{f"{unit}ib": 1024**n for n, unit in enumerate("kmgt", 1)},
    },
    "ns": {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9},
    "count": {"": 1},
    "share": {"%": 0.01, "": 1},
    "percent": {"%": 1, "": 1},
}
"""What a number may be followed by, in lower case, by the figure's unit."""
EXAMPLES = "HeapInuse>+5%, free_slots>+1MiB, or HeapSys>64MiB"


class RuleError(ToldError):
    """A limit that says nothing, or of which a document says nothing."""

    code = USAGE


@dataclass(frozen=True)
class Rule:
    """One limit, read but not yet tied to a kind of document."""

    text: str
    name: str
    which: str | None
    operator: str
    change: bool
    """Whether the number is a change against a baseline."""
    number: float
    unit: str


@dataclass(frozen=True)
class Limit:
    """A rule about a figure that a kind of document has."""

    rule: Rule
    figure: Figure
    bound: float
    """In the figure's unit; in parts of the baseline where `relative`."""
    relative: bool
    owned: Owned | None = None
    """What the figure is one of, where there is one for each name."""

    def crossed(self, value: float) -> bool:
        """Whether a value, or a change, is where it must not be."""
        return OPERATORS[self.rule.operator](value, self.bound)

    def absent(self, documents: Sequence[Document]) -> str | None:
        """Where no document has the name: the name that may have been meant, "" where none is near; else None."""
        if self.owned is None or self.rule.which is None:
            return None
        names = {name for document in documents for name in self.owned.of(document)}
        if self.rule.which in names:
            return None
        return next(iter(get_close_matches(self.rule.which, sorted(names), 1)), "")


def read_rule(text: str) -> Rule:
    """What a text says; raise RuleError where that is nothing."""
    found = FORM.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise RuleError(f"--fail-on {text[:LONGEST]!r}: expected FIGURE, one of > >= < <=, and a number, such as {EXAMPLES}")
    number = float(found["number"]) * (-1 if found["sign"] == "-" else 1)
    return Rule(
        text.strip(), found["name"], found["which"], found["operator"], bool(found["sign"]), number, found["unit"].lower()
    )


def limit(rule: Rule, catalogue: Catalogue) -> Limit:
    """The rule as one about a figure of this catalogue; raise RuleError where there is none, or it has another unit."""
    figure = chosen(rule, catalogue)
    owned = None if rule.which is None else catalogue.find_owned(rule.name)
    relative = rule.change and rule.unit == "%" and figure.unit != "percent"
    if relative:
        return Limit(rule, figure, rule.number / 100, True, owned)
    units = UNITS[figure.unit]
    if rule.unit not in units:
        known = ", ".join(unit or "none" for unit in (*units, "+%"))
        raise RuleError(f"--fail-on {rule.text!r}: {figure.name} is told in {figure.unit}; units that fit: {known}")
    return Limit(rule, figure, rule.number * units[rule.unit], False, owned)


def chosen(rule: Rule, catalogue: Catalogue) -> Figure:
    """The figure that a rule names."""
    if rule.which is not None:
        owned = catalogue.find_owned(rule.name)
        if owned is None:
            kinds = ", ".join(f"{other.key}[...]" for other in catalogue.owned) or "none"
            raise RuleError(f"--fail-on {rule.text!r}: there is no {rule.name}[...] here; there are {kinds}")
        which, rest = rule.which, owned.rest

        def get(document: Document) -> Value:
            return owned.values(document).get(which, rest)

        return Figure(f"{owned.key}[{which}]", owned.name.format(which), owned.unit, get, owned.asked)
    figure = catalogue.find(rule.name)
    if figure is None:
        if one := catalogue.find_owned(rule.name):
            raise RuleError(f"--fail-on {rule.text!r}: there is one {one.key} for each name: say of which, {one.key}[NAME]")
        near = get_close_matches(rule.name.lower(), [name.lower() for name in catalogue.names], 1, 0.6)
        meant = next((f"; did you mean {name!r}?" for name in catalogue.names if near and name.lower() == near[0]), "")
        known = ", ".join(catalogue.names)
        raise RuleError(f"--fail-on {rule.text!r}: no figure is called {rule.name!r}{meant}; there are {known}")
    return figure
