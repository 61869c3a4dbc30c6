"""How much of the processors collections took, and where a memory limit was below what lives."""

from __future__ import annotations

from goalloc_cli.analyses.pressure import pressure
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.gctrace.read import read_gctrace
from tests.kit.gctrace import DATA, read


def test_the_share_is_what_the_lines_processor_times_say() -> None:
    """Two Ps; each cycle ends 100 ms after the one before, and took 20 ms of processor time."""
    line = "gc {n} @{at:.3f}s 3%: 1.0+8.0+1.0 ms clock, 2.0+6.0/10/30+2.0 ms cpu, 4->4->2 MB, 5 MB goal, 2 P\n"
    found = pressure(read("".join(line.format(n=n, at=n / 10 - 0.01) for n in range(1, 21))))
    assert ([share.share for share in found.shares], found.whole, found.last_ten) == ([0.1] * 20, 0.1, 0.1)


def test_where_thrashing_began_and_the_limit_are_found_in_a_real_log() -> None:
    """GOMEMLIMIT=64MiB; 4 s of quiet, then the live heap climbs above it: cases by hand from the text."""
    source = open_source(DATA / "spiral-go1.27.txt.zst")
    text = read_gctrace(source)
    found = pressure(text)
    numbers = [c.number for c in text.collections]
    assert ([numbers[p] for p in found.above], [numbers[p] for p in found.limited]) == ([390, 392, 393, 394],) * 2
    assert (numbers[found.began], numbers[found.ended]) == (389, 394)
    assert (round(found.whole, 3), round(found.last_ten, 2)) == (0.041, 0.3)
    assert {numbers[p] for p in found.worst} >= {389, 391, 394}


def test_a_heap_that_only_grows_is_under_no_limit() -> None:
    found = pressure(read((DATA / "sparse-go1.19.txt").read_text()))
    assert (len(found.above) > 0, found.limited) == (True, [])
