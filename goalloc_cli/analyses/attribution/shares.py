"""What each of several changes contributes: its part, averaged over the orders in which they can be made.

Shapley's value (1953), over the orders that are possible: the parts sum to the whole, a change that does nothing has none,
and where one alone does something it has all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from random import Random

from goalloc_cli.analyses.attribution.order import Change, Made, closed_sets
from goalloc_cli.results.attribution import Values

Shares = dict[Change, list[Fraction]]


def exact_shares(group: Made, needs: list[Made], value: Callable[[Made], Values]) -> Shares:
    """The mean over all possible orders. `value` tells the figures when a closed set of changes has been made."""
    sets = list(closed_sets(group, needs))
    before, after = paths(sets, group, needs)
    orders = before[group]
    found: Shares = {change: [Fraction(0)] * len(value(frozenset())) for change in group}
    for made in sets:
        for change in group - made:
            then = made | {change}
            if then in after:
                weight = Fraction(before[made] * after[then], orders)
                found[change] = [
                    share + weight * (b - a) for share, a, b in zip(found[change], value(made), value(then), strict=True)
                ]
    return found


def paths(sets: list[Made], group: Made, needs: list[Made]) -> tuple[Mapping[Made, int], Mapping[Made, int]]:
    """In how many orders each closed set is reached, and in how many all is reached from there."""
    before, after = dict.fromkeys(sets, 0), dict.fromkeys(sets, 0)
    before[frozenset()] = after[group] = 1
    steps = [(made, made | {change}) for made in sets for change in group - made if needs[change] <= made]
    for made, then in steps:
        before[then] += before[made]
    for made, then in reversed(steps):
        after[made] += after[then]
    return before, after


def random_orders(group: Made, needs: list[Made], count: int, seed: int = 0) -> list[list[Change]]:
    """Some possible orders, always the same ones; each second is the one before it backwards, where that is possible."""
    random = Random(seed)
    found: list[list[Change]] = []
    while len(found) < count:
        order: list[Change] = []
        while len(order) < len(group):
            free = [change for change in sorted(group - set(order)) if needs[change] <= set(order)]
            order.append(random.choice(free))
        found.append(order)
        back = order[::-1]
        if len(found) < count and all(needs[change] <= set(back[:at]) for at, change in enumerate(back)):
            found.append(back)
    return found


def mean_shares(orders: list[list[Change]], value: Callable[[Made], Values]) -> Shares:
    """The mean over some orders."""
    width = len(value(frozenset()))
    found: Shares = {change: [Fraction(0)] * width for change in orders[0]}
    for order in orders:
        for at, change in enumerate(order):
            a, b = value(frozenset(order[:at])), value(frozenset(order[: at + 1]))
            found[change] = [share + Fraction(y - x, len(orders)) for share, x, y in zip(found[change], a, b, strict=True)]
    return found


def whole(shares: list[Fraction], total: int) -> list[int]:
    """Shares as whole numbers that sum to `total`, which the shares do: the largest remainders are rounded up."""
    floors = [share.numerator // share.denominator for share in shares]
    missing = total - sum(floors)
    by_remainder = sorted(range(len(shares)), key=lambda at: (floors[at] - shares[at], at))
    for at in by_remainder[:missing]:
        floors[at] += 1
    return floors
