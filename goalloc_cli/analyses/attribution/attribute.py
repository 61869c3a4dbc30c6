"""Which changes of the allocator changed which figures: they are made one by one, in pairs, and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from goalloc_cli.analyses.attribution.order import Change, Made, Needs, closed, closed_sets
from goalloc_cli.analyses.attribution.shares import Shares, exact_shares, mean_shares, random_orders, whole
from goalloc_cli.results.attribution import Attribution, Part, Values

Measure = Callable[[list[Made]], list[Values]]
"""The figures with each of these sets of changes made, in order: all at once, so that they can be found on all cores."""

EXACT = 8
"""Changes of a group up to which every order is tried: at most 256 allocators."""
FEW = 3
"""So many are tried in every order anyway: to ask first which of them interact would take as long."""
ORDERS = 24
"""Orders of a larger group that are tried."""


def attribute(names: Sequence[str], possible: Callable[[Made], bool], measure: Measure) -> Attribution:
    """Split the change from no change made to all of them made.

    Args:
        names: of the changes.
        possible: whether a set of changes, by their numbers, makes an allocator.
        measure: the figures with such sets made.
    """
    needs = Needs(len(names), possible)
    search = Search(needs.bundles, needs.by_bundle(), measure)
    shares, groups, sampled = search.shares()
    parts = search.parts(names, shares, groups)
    return Attribution(
        before=search.value(frozenset()),
        after=search.value(search.all),
        parts=parts,
        replays=len(search.known),
        sampled=sampled,
    )


class Search:
    """What is known of the figures so far. Numbers are those of bundles: changes that only make an allocator together."""

    def __init__(self, bundles: list[tuple[Change, ...]], needs: list[Made], measure: Measure) -> None:
        self.bundles = bundles
        self.needs = needs
        self.measure = measure
        self.all: Made = frozenset(range(len(bundles)))
        self.known: dict[Made, Values] = {}

    def value(self, made: Made) -> Values:
        """The figures with these made."""
        self.learn([made])
        return self.known[made]

    def learn(self, sets: Sequence[Made]) -> None:
        """Measure what is not known yet."""
        new = [made for made in dict.fromkeys(sets) if made not in self.known]
        if new:
            found = self.measure([frozenset(change for n in made for change in self.bundles[n]) for made in new])
            self.known.update(zip(new, found, strict=True))

    def first(self, change: Change) -> tuple[Made, Made]:
        """As soon as it can be made: before and after it."""
        needed = closed(self.needs[change], self.needs)
        return needed, needed | {change}

    def last(self, change: Change) -> tuple[Made, Made]:
        """As late as it can be made: before and after it. What needs it comes later still."""
        later = {other for other in self.all if change in closed([other], self.needs)} - {change}
        return self.all - later - {change}, self.all - later

    def differ(self, step: tuple[Made, Made]) -> bool:
        return self.value(step[0]) != self.value(step[1])

    def shares(self) -> tuple[Shares, list[Made], bool]:
        """The share of each change, the groups, and whether some were sampled."""
        steps = [step(change) for change in sorted(self.all) for step in (self.first, self.last)]
        self.learn([frozenset(), self.all, *(made for step in steps for made in step)])
        active = self.active()
        groups = self.groups(active)
        found: Shares = {}
        sampled = False
        for group in groups:
            shares = self.exact(group) if len(group) <= EXACT else self.sampled(group)
            sampled |= len(group) > EXACT
            found |= shares
        return found, groups, sampled

    def active(self) -> Made:
        """Changes that change something, made first or last; all of them where the others do so together."""
        acting = [change for change in sorted(self.all) if self.differ(self.first(change)) or self.differ(self.last(change))]
        found = closed(acting, self.needs)
        return found if self.value(found) == self.value(self.all) else self.all

    def groups(self, active: Made) -> list[Made]:
        """The changes, those together of which one changes what the other does."""
        if not active:
            return []
        if len(active) <= FEW:
            return [active]
        found = {change: frozenset({change}) for change in active}
        pairs = [(a, b) for a, b in combinations(sorted(active), 2)]
        corners = {pair: self.corners(*pair) for pair in pairs}
        self.learn([made for four in corners.values() for made in four])
        for a, b in pairs:
            if self.interact(corners[a, b]):
                both = found[a] | found[b]
                found |= dict.fromkeys(both, both)
        groups = sorted(set(found.values()), key=min)
        self.learn(groups)
        start = self.value(frozenset())
        sums = [sum(values) for values in zip(*(self.value(group) for group in groups), strict=True)]
        alone = tuple(told - (len(groups) - 1) * before for told, before in zip(sums, start, strict=True))
        # Three may interact where no two do.
        return groups if alone == self.value(active) else [active]

    def corners(self, a: Change, b: Change) -> tuple[Made, ...]:
        """Neither made, one, the other, both; none where one needs the other."""
        if b in closed([a], self.needs) or a in closed([b], self.needs):
            return ()
        needed = closed((self.needs[a] | self.needs[b]), self.needs)
        return needed, needed | {a}, needed | {b}, needed | {a, b}

    def interact(self, corners: tuple[Made, ...]) -> bool:
        """Whether one of a pair changes what the other does."""
        if not corners:
            return True
        neither, one, other, both = (self.value(made) for made in corners)
        return any(n - a - b + ab for n, a, b, ab in zip(neither, one, other, both, strict=True))

    def exact(self, group: Made) -> Shares:
        self.learn(list(closed_sets(group, self.needs)))
        return exact_shares(group, self.needs, self.value)

    def sampled(self, group: Made) -> Shares:
        orders = random_orders(group, self.needs, ORDERS)
        self.learn([frozenset(order[:at]) for order in orders for at in range(len(order) + 1)])
        return mean_shares(orders, self.value)

    def parts(self, names: Sequence[str], shares: Shares, groups: list[Made]) -> list[Part]:
        """All changes with their shares as whole numbers, those that change most first."""
        start, end = self.value(frozenset()), self.value(self.all)
        credited = sorted(shares)
        columns = [
            whole([shares[change][at] for change in credited], end[at] - start[at]) for at in range(len(start)) if credited
        ]
        told = {change: tuple(column[n] for column in columns) for n, change in enumerate(credited)}
        group_of = {change: n for n, group in enumerate(groups, 1) for change in group}
        nothing = (0,) * len(start)
        found = [
            Part(
                tuple(names[member] for member in self.bundles[change]),
                told.get(change, nothing),
                None if self.needs[change] else self.between(self.first(change)),
                None if self.last(change)[1] != self.all else self.between(self.last(change)),
                group_of.get(change, 0),
            )
            for change in sorted(self.all)
        ]
        return sorted(found, key=lambda part: -sum(abs(value) for value in part.change))

    def between(self, step: tuple[Made, Made]) -> Values:
        return tuple(b - a for a, b in zip(self.value(step[0]), self.value(step[1]), strict=True))
