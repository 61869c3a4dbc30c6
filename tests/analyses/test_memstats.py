"""What is made of MemStats: ledgers that add up, sums that must hold, and the cause that real programs are known to have."""

from __future__ import annotations

from pathlib import Path

import pytest

from goalloc_cli.analyses.memstats.describe import describe
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.memstats.process import read_process
from goalloc_cli.importers.memstats.read import read_memstats
from goalloc_cli.results.memstats import Memory
from tests.importers.test_memstats import DATA, DUMPS

STATES = {
    "live": "live",
    "stacks": "stacks",
    "grown": "dead_stacks",
    "buffer": "no_gc",
    "idle": "free",
    "released": "lazy",
    "sparse": "unused",
    "cgo": "c_heap",
}
"""What the program of each recording did, and the cause that is right."""


def described(*paths: Path | str, smaps: Path | str | None = None, **told: object) -> Memory:
    given = {"rss_bytes": None, "cgroup": {}, "version": None, "seconds": None} | told
    process = None if smaps is None else read_process(str(smaps))
    return describe([read_memstats(open_source(path)) for path in paths], process=process, **given)  # type: ignore[arg-type]


@pytest.fixture
def typed(tmp_path: Path):
    def of(text: str, **told: object) -> Memory:
        path = tmp_path / "text"
        path.write_text(text)
        return described(path, **told)

    return of


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_the_ledger_is_sys_to_the_byte(path: Path) -> None:
    *rows, total = described(path).ledger
    assert (total.name, sum(row.amount.value for row in rows)) == ("total", total.amount.value)
    assert {row.how for row in rows} == {"exact"}


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.name)
def test_real_dumps_keep_every_identity(path: Path) -> None:
    found = described(path).identities
    assert [check for check in found if not check.holds] == []
    assert len(found) >= 8


@pytest.mark.parametrize("path", sorted(DATA.glob("*-smaps.txt.zst")), ids=lambda path: path.name)
def test_from_sys_to_rss_adds_up_to_the_kib(path: Path) -> None:
    *rows, rss = described(str(path).replace("smaps", "plus-v"), smaps=path).resident
    assert sum(row.amount.value for row in rows) == rss.amount.value == read_process(str(path)).rss_bytes


@pytest.mark.parametrize("path", sorted(DATA.glob("*-smaps.txt.zst")), ids=lambda path: path.name)
def test_the_known_cause_is_the_one_that_is_named(path: Path) -> None:
    found = described(str(path).replace("smaps", "scrape"), smaps=path).reading
    assert found is not None
    assert found.cause == STATES[path.name.split("-")[0]]


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({}, "objects"),
        ({"rss_bytes": 775_946_240}, "lazy"),
        ({"rss_bytes": 775_946_240, "version": "1.14"}, "lazy"),
        ({"rss_bytes": 775_946_240, "version": "1.22"}, "outside"),
        ({"rss_bytes": 300 << 20}, "lazy_or_outside"),
    ],
)
def test_an_rss_above_what_go_has_is_told_by_the_release(told: dict[str, object], cause: str, typed) -> None:
    """The numbers of golang/go#39779, Go 1.14."""
    text = """Alloc = 11.748207092285156 MiB
TotalAlloc = 26889.293197631836 MiB
Sys = 734.5589141845703 MiB
HeapAlloc = 11.748207092285156 MiB
HeapIdle = 685.4375 MiB
HeapInuse = 17 MiB
HeapRelease = 685.2421875 MiB
HeapSys = 702.4375 MiB
StackInuse = 1.5625 MiB
StackSys = 1.5625 MiB
MSpanInuse = 0.1999969482421875 MiB
MSpanSys = 2.453125 MiB
NextGC = 19.124771118164062 MiB
NumGC = 161
"""
    found = typed(text, **told).reading
    assert found.cause == ("not_told" if cause == "objects" else cause)


def test_a_sum_that_cannot_be_is_told_and_shown_as_a_row(typed) -> None:
    found = typed("HeapAlloc = 5 HeapInuse = 9000 HeapIdle = 8000 HeapReleased = 9000 HeapSys = 20000")
    assert [(check.left, check.relation, check.right) for check in found.identities if not check.holds] == [
        ("HeapSys", "=", "HeapInuse + HeapIdle"), ("HeapReleased", "<=", "HeapIdle"),
    ]  # fmt: skip
    assert [row.amount.value for row in found.ledger if row.name == "contradiction"] == [3000]


def test_prints_that_were_cut_contradict_nothing(typed) -> None:
    found = typed("HeapAlloc = 5 MiB HeapInuse = 7 MiB HeapIdle = 8 MiB HeapSys = 16 MiB")
    assert [check for check in found.identities if not check.holds] == []


def test_between_two_moments_counters_have_rates(tmp_path: Path) -> None:
    for number, when in enumerate((1_700_000_000, 1_700_000_060)):
        line = "go_memstats_{} {} " + f"{when}000\n"
        values = {"mallocs_total": 600 * number, "sys_bytes": 8 << 20, "alloc_bytes_total": 6_000_000 * number}
        (tmp_path / f"{number}").write_text("".join(line.format(name, value) for name, value in values.items()))
    found = described(tmp_path / "0", tmp_path / "1")
    rates = {change.name: change.per_second for change in found.changes}
    assert rates == {"Mallocs": 10.0, "Sys": None, "TotalAlloc": 100_000.0}
    assert found.seconds == 60


def test_a_counter_that_falls_tells_of_a_new_start(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}").write_text(f"TotalAlloc = {9000 - number}\nSys = 5\nAlloc = 3\n")
    assert "TotalAlloc fell: the program was started again in between." in described(tmp_path / "0", tmp_path / "1").notes


def test_live_objects_by_class_and_the_larger_ones_are_heapalloc() -> None:
    found = described(DATA / "live-go1.27.3-plus-v.txt.zst")
    assert sum(row.live_bytes for row in found.sizes) == found.dump.last.get("HeapAlloc")
    assert next(row.objects for row in found.sizes if row.size_bytes == 512) >= 200_000  # kept by the program


def test_rounding_costs_no_more_than_is_said(typed) -> None:
    """33 to 48 bytes take a slot of 48: at most 15 of them are lost."""
    rows = [{"Size": 32, "Mallocs": 0, "Frees": 0}, {"Size": 48, "Mallocs": 12, "Frees": 2}]
    found = typed(f'{{"HeapAlloc": 480, "HeapInuse": 8192, "BySize": {str(rows).replace(chr(39), chr(34))}}}')
    assert [(row.objects, row.live_bytes, row.rounding_high_bytes) for row in found.sizes] == [(10, 480, 150)]
