"""`goalloc synth`: the same seed makes the same trace, every trace is sound, and the command writes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.replay import replay
from goalloc_cli.analyses.who.follow import Followed
from goalloc_cli.design.releases import release
from goalloc_cli.errors import TraceError
from goalloc_cli.report.documents.trace import trace_document
from goalloc_cli.synth.catalogue import BY_NAME, WORKLOADS
from goalloc_cli.synth.make import synthesize
from goalloc_cli.synth.mix import aliases, read_sizes
from goalloc_cli.trace.event import BATCH, KIND_MASK, NO_P, NOSCAN, Kind
from goalloc_cli.trace.ranges import RangeCheck
from tests.kit.root import ROOT
from tests.kit.workloads import SMALL, events, written

NAMES = [workload.name for workload in WORKLOADS]

# The same seed.


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_bytes(name: str) -> None:
    assert written(name, 100_000, seed=7) == written(name, 100_000, seed=7)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_makes_another_trace(name: str) -> None:
    assert written(name, 100_000, seed=7) != written(name, 100_000, seed=8)


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_trace_begins_like_a_shorter_one(name: str) -> None:
    short, long = events(name, 70_000), events(name, 150_000)
    assert all(np.array_equal(short[c], long[c][:70_000]) for c in short)


def test_a_seed_makes_the_same_trace_in_another_process() -> None:
    code = (
        "import hashlib; from tests.kit.workloads import written; "
        "print(hashlib.sha256(written('lru', 100_000, seed=3)).hexdigest())"
    )
    run = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONHASHSEED": "5"}
    one, other = (subprocess.run(run, cwd=ROOT, env=env, capture_output=True, check=True).stdout for _ in range(2))
    assert one == other


@pytest.mark.slow
def test_kernels_that_run_uncompiled_make_the_same_trace() -> None:
    code = "import hashlib; from tests.kit.workloads import written; print(hashlib.sha256(written('lru', 100)).hexdigest())"
    run = [sys.executable, "-W", "error", "-c", code]
    plain, compiled = (
        subprocess.run(run, cwd=ROOT, env={**os.environ, **env}, capture_output=True, check=True).stdout
        for env in ({"NUMBA_DISABLE_JIT": "1"}, {})
    )
    assert plain == compiled


# Sound.


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_has_as_many_events_as_were_asked_for(name: str) -> None:
    assert len(events(name, BATCH + 1)["kind"]) == BATCH + 1


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_within_what_its_kind_allows(name: str) -> None:
    trace = synthesize(name, 200_000, parameters=SMALL[name])
    check = RangeCheck(trace.header.gomaxprocs)
    for batch in trace.batches:
        check.check(batch, name)
    assert check.events == 200_000


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_breaks_no_invariant(name: str) -> None:
    trace = synthesize(name, 200_000, parameters=SMALL[name])
    outcome = replay(trace, release("1.27"), design_name="go1.27", check=True)
    assert sum(outcome.events.values()) == 200_000


@pytest.mark.parametrize("name", NAMES)
def test_a_freed_handle_is_the_next_to_be_used(name: str) -> None:
    """So handles never outnumber the objects that were alive at once."""
    found = events(name, 200_000)
    kind = found["kind"] & KIND_MASK
    change = np.where(kind == Kind.ALLOC, 1, np.where(kind == Kind.FREE, -1, 0))
    objects = (kind == Kind.ALLOC) | (kind == Kind.FREE)
    assert found["id"][objects].max() + 1 == np.cumsum(change).max()


@pytest.mark.parametrize("name", NAMES)
def test_all_ps_take_part(name: str) -> None:
    found = events(name, 100_000, procs=3)
    assert set(found["p"][found["kind"] & KIND_MASK == Kind.ALLOC].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_some_objects_hold_pointers_and_some_do_not(name: str) -> None:
    found = events(name, 100_000)
    allocs = found["kind"][found["kind"] & KIND_MASK == Kind.ALLOC]
    assert 0.02 < np.mean((allocs & NOSCAN) != 0) < 0.98


@pytest.mark.parametrize("name", NAMES)
def test_an_event_takes_20_to_100_nanoseconds(name: str) -> None:
    found = events(name, 100_000)
    at = np.flatnonzero(found["kind"] == Kind.TIME)
    each = np.diff(found["size"][at], prepend=0) / np.diff(at, prepend=0)
    assert 19.9 < each.min() < each.max() <= 100


def test_sizes_are_what_was_requested() -> None:
    assert synthesize("steady", 1).header.sizes == "requested"


def test_no_p_frees_an_object() -> None:
    found = events("steady", 100_000)
    assert set(found["p"][found["kind"] == Kind.FREE].tolist()) == {NO_P}


# Collections.


@pytest.mark.parametrize("gogc", [50, 100, 400])
def test_a_collection_starts_when_the_heap_has_grown_by_gogc(gogc: int) -> None:
    """What was allocated from one collection to the next, by what the first one left."""
    trace = synthesize("steady", 3_000_000, parameters={"live": 100_000, "gogc": gogc})
    cycles = describe(trace).cycles[3:]
    grown = np.mean([c.alloc_bytes / c.live_bytes for c in cycles])
    assert gogc / 100 * 0.95 < grown < gogc / 100 * 1.2


def test_a_small_heap_is_collected_when_it_reaches_four_mebibytes() -> None:
    trace = synthesize("steady", 400_000, parameters={"live": 100})
    assert 3.5 * 2**20 < np.mean([c.alloc_bytes for c in describe(trace).cycles]) < 4.5 * 2**20


def test_marking_lasts_some_thousand_events_when_there_is_much_to_mark() -> None:
    kind = events("steady", 1_500_000, live=100_000)["kind"]
    starts, ends = np.flatnonzero(kind == Kind.GC_START), np.flatnonzero(kind == Kind.GC_END)
    assert len(starts) and 3000 < np.median(ends - starts[: len(ends)]) < 4200


# Any length.


def test_memory_does_not_grow_with_the_length_of_the_trace() -> None:
    assert abs(peak_kib(20_000_000) - peak_kib(2_000_000)) < 8 << 10


def peak_kib(count: int) -> int:
    code = (
        "import resource; from goalloc_cli.synth.make import synthesize\n"
        f"for batch in synthesize('generational', {count}).batches: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    return int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)


def test_the_first_batch_is_there_before_the_others_are_made() -> None:
    first = next(iter(synthesize("server", 10**12).batches))
    assert len(first) == BATCH


# Sizes of a real trace.


@pytest.fixture
def histogram(tmp_path: Path) -> str:
    """What `goalloc stats --format json` prints of a trace."""
    document = trace_document(describe(synthesize("lru", 300_000, parameters=SMALL["lru"])))
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_sizes_of_a_real_trace_are_allocated_as_often_as_there(histogram: str) -> None:
    real = json.loads(Path(histogram).read_text())
    made = describe(synthesize("steady", 400_000, parameters=SMALL["steady"], sizes=read_sizes(histogram)))
    wanted = {b["upto"]: b["objects"] / real["allocs"] for b in real["sizes"]}
    assert {b.upto: b.objects / made.allocs for b in made.sizes} == pytest.approx(wanted, abs=0.01)


def test_sizes_of_a_real_trace_have_its_mean(histogram: str) -> None:
    real = json.loads(Path(histogram).read_text())
    made = describe(synthesize("steady", 400_000, parameters=SMALL["steady"], sizes=read_sizes(histogram)))
    assert made.alloc_bytes / made.allocs == pytest.approx(real["alloc_bytes"] / real["allocs"], rel=0.03)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "goalloc replay"}', '{"schema": "goalloc stats", "allocs": 0, "sizes": []}']
)
def test_a_file_that_is_no_histogram_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(TraceError, match="not what `goalloc stats TRACE --format json` prints"):
        read_sizes(str(path))


def test_a_draw_by_aliases_is_as_likely_as_the_weights_say() -> None:
    weights = [5.0, 0.0, 1.0, 3.0, 1.0]
    parts = np.zeros(5)
    for at, (chance, other) in enumerate(aliases(weights)):
        parts[at] += min(chance / 2**32, 1) / 5
        parts[other] += max(1 - chance / 2**32, 0) / 5
    assert parts == pytest.approx(np.array(weights) / 10)


# The command.


def test_list_describes_every_workload(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["synth", "--list"])
    out = capsys.readouterr().out
    assert all(f"\n{w.name:14}{w.summary}" in f"\n{out}" for w in WORKLOADS)


def test_list_loads_neither_numpy_nor_numba() -> None:
    code = "import sys, goalloc_cli.cli as c; c.run(['synth', '--list']); print({'numpy', 'numba'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "set()"


def test_the_command_writes_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.msgpack"
    code = cli.run(
        ["synth", "lru", "--events", "70k", "--seed", "7", "--entries", "2000", "--keys", "8000", "-o", str(path)]
    )
    assert (code, path.read_bytes()) == (0, written("lru", 70_000, seed=7))


@pytest.mark.parametrize("options", [["--events", "0"], ["--events", "x"], ["--events", "1", "--live", "0"], []])
def test_what_makes_no_trace_is_a_usage_error(options: list[str]) -> None:
    assert cli.run(["synth", "steady", "-o", "-", *options]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_who_allocates_is_told_of_every_allocation(name: str) -> None:
    trace = synthesize(name, 100_000, parameters={**SMALL[name], "owners": 3})
    followed = Followed(release("1.27"))
    for batch in trace.batches:
        followed.add(batch)
    rows = followed.rows
    assert trace.header.owners
    assert set(rows["owner"][rows["allocs"] > 0].tolist()) == {1, 2, 3}


def test_nobody_is_told_who_does_not_ask() -> None:
    trace = synthesize("steady", 70_000)
    assert not trace.header.owners
    assert not any((batch.kind & KIND_MASK == Kind.WORKS_FOR).any() or batch.new_owners for batch in trace.batches)


def test_the_header_says_how_to_make_the_trace_again() -> None:
    header = synthesize("lru", 1, 7, {"keys": 9}).header
    assert header.extra["synth"] == {"workload": "lru", "seed": 7, "gogc": 100, "entries": 50_000, "keys": 9}


def test_every_workload_has_a_test_for_its_name() -> None:
    assert SMALL.keys() == BY_NAME.keys()
