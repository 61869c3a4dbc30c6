"""Who holds the heap, as a profile: its columns against the ledger, the whole of it against `go tool pprof`."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.held import Moment, held, moment_of, stopped
from goalloc_cli.design.heapprofile import lacks_caller
from goalloc_cli.design.releases import release
from goalloc_cli.exporters.pprof import SAMPLE_TYPES, as_go_profiles, write_pprof
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.exported.held import IN_USE, LEDGER_OF, Held
from goalloc_cli.trace.event import Call, Function, Kind, Owner
from tests.analyses.test_samples import SAMPLES, outcome_of, trace_of
from tests.kit.batches import NODE, STACKED, TWO_PS, WITH_STACKS, batch, written
from tests.kit.consumers import messages
from tests.kit.root import ROOT

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")
POINTS = ("peak", "end", "gc:2")


def at_moment(trace: Any, moment: Moment) -> Held:
    version = trace.header.go_version
    run, stacks = stopped(trace, release(version), moment, hints=True)
    return held(run, stacks, f"go{version}", moment)


@cache
def held_of(name: str, at: str) -> Held:
    moment = moment_of(at)
    if at == "peak":
        peak = outcome_of(name).peak[0]
        moment = Moment("peak", int(peak["event"]), row=peak)
    return at_moment(trace_of(name), moment)


def decoded(data: bytes) -> Any:
    return messages()["Profile"].FromString(gzip.decompress(data))


def columns(profile: Any) -> dict[str, int]:
    """The sum of each sample type."""
    texts = profile.string_table
    sums = [sum(sample.value[i] for sample in profile.sample) for i in range(len(profile.sample_type))]
    return {texts[kind.type]: total for kind, total in zip(profile.sample_type, sums, strict=True)}


def stacks(profile: Any) -> dict[tuple[str, ...], dict[str, int]]:
    """Values by stack, the innermost function first."""
    texts = profile.string_table
    names = {function.id: texts[function.name] for function in profile.function}
    at = {location.id: names[location.line[0].function_id] for location in profile.location}
    kinds = [texts[kind.type] for kind in profile.sample_type]
    found: dict[tuple[str, ...], Counter[str]] = {}
    for sample in profile.sample:
        values = found.setdefault(tuple(at[i] for i in sample.location_id), Counter())
        values.update(dict(zip(kinds, sample.value, strict=True)))
    return {stack: dict(values) for stack, values in found.items()}


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_column_sums_to_its_rows_of_the_ledger(name, at):
    found = held_of(name, at)
    sums = {column: int(found.holdings[column].sum()) for column in IN_USE}
    assert sums == {column: sum(int(found.sample[row]) for row in rows) for column, rows in LEDGER_OF.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_at_the_peak_each_column_is_what_replay_reports(name):
    found, peak = held_of(name, "peak"), outcome_of(name).peak[0]
    sums = {column: int(found.holdings[column].sum()) for column in IN_USE}
    assert sums == {column: sum(int(peak[row]) for row in rows) for column, rows in LEDGER_OF.items()}
    assert sum(sums.values()) == int(peak["heap_inuse"])


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_held_by_less_than_nothing(name):
    found = held_of(name, "end")
    assert all((found.holdings[column] >= 0).all() for column in (*IN_USE, "objects", "space"))


@pytest.mark.parametrize("name", SAMPLES)
def test_live_and_dead_slots_are_the_heap_that_go_counts(name):
    found = held_of(name, "end")
    assert int(found.holdings["space"].sum() + found.holdings["dead"].sum()) == int(found.sample["heap_alloc"])


def test_the_profile_sums_to_heap_sys():
    found = held_of("orders-go1.27", "peak")
    sums = columns(decoded(write_pprof(found)))
    assert sums["heap_sys"] == sums["heap_inuse"] + sums["idle"] + sums["released"] == int(found.sample["heap_sys"])


def test_the_same_replay_gives_the_same_bytes():
    again = at_moment(trace_of("orders-go1.27"), Moment("end"))
    assert write_pprof(again) == write_pprof(held_of("orders-go1.27", "end"))


def test_a_type_stands_under_its_class():
    profile = stacks(decoded(write_pprof(held_of("orders-go1.27", "end"))))
    assert any(stack[1:] == ("class 48 B scan", "HeapInuse") and not stack[0].startswith("(") for stack in profile)


# Small heaps, made by hand.

SPANS = """\
{"op": "header", "go": "1.27", "gomaxprocs": 1}
{"op": "type", "name": "main.A", "size": 100}
{"op": "type", "name": "main.B", "size": 100}
"""


def of_rows(tmp_path: Path, rows: str, at: str = "end", head: str = SPANS) -> Any:
    """The profile of rows, through the command."""
    trace, out = tmp_path / "rows.jsonl", tmp_path / "out.pb.gz"
    trace.write_text(head + rows)
    assert cli.run(["export", str(trace), "--to", "pprof", "--at", at, "-o", str(out), "--force"]) == 0
    return decoded(out.read_bytes())


def alloc(number: int, size: int, kind: int, pointers: str = "true") -> str:
    return f'{{"op": "alloc", "id": {number}, "size": {size}, "type": {kind}, "pointers": {pointers}}}\n'


def test_free_slots_are_laid_on_what_lives_in_the_span(tmp_path):
    """112 B slots, 73 in a page of 8 KiB: one of main.A and two of main.B are live, 70 are free."""
    rows = alloc(0, 100, 1) + alloc(1, 100, 2) + alloc(2, 100, 2)
    profile = stacks(decoded_rows := of_rows(tmp_path, rows))
    one, two = (profile[f"main.{kind}", "class 112 B scan", "HeapInuse"] for kind in "AB")
    assert (one["inuse_objects"], one["live"], one["rounding"]) == (1, 100, 12)
    assert (two["inuse_objects"], two["live"], two["rounding"]) == (2, 200, 24)
    assert one["free_slots"] + two["free_slots"] == columns(decoded_rows)["free_slots"]
    assert abs(2 * one["free_slots"] - two["free_slots"]) <= 2


def test_a_span_in_which_nothing_lives_is_named_by_its_place(tmp_path):
    profile = stacks(of_rows(tmp_path, alloc(0, 100, 1) + '{"op": "free", "id": 0}\n'))
    assert profile["(no live object: mcache)", "class 112 B scan", "HeapInuse"]["dead"] == 112


def test_tiny_objects_share_a_slot_and_its_rounding(tmp_path):
    rows = "".join(alloc(i, 5, i % 3, "false") for i in range(3))
    sums = columns(of_rows(tmp_path, rows))
    assert (sums["inuse_objects"], sums["inuse_space"], sums["live"], sums["rounding"]) == (1, 16, 15, 1)


MOMENTS = alloc(0, 100, 1) + '{"op": "gc_start"}\n{"op": "gc_end"}\n' + alloc(1, 100, 1) + (
    '{"op": "name", "name": "warm"}\n{"op": "checkpoint", "name": "warm"}\n'
) + alloc(2, 100, 1) + '{"op": "gc_start"}\n{"op": "gc_end"}\n'


@pytest.mark.parametrize(
    "at, live", [("gc:1", 1), ("warm", 2), ("gc:2", 3), ("event:0", 0), ("event:1", 1), ("end", 3), ("peak", 3)]
)
def test_a_moment_can_be_named(at, live, tmp_path):
    assert columns(of_rows(tmp_path, MOMENTS, at))["inuse_objects"] == live


@pytest.mark.parametrize(
    "at, told",
    [
        ("gc:3", "there is no GC 3; the trace has 2 GC cycles"),
        ("event:99", "there is no event 99; there are 8"),
        ("cold", "there is no checkpoint 'cold'; it has 'warm'"),
    ],
)
def test_a_moment_that_is_not_there_is_told(at, told, tmp_path, capfd):
    trace = tmp_path / "rows.jsonl"
    trace.write_text(SPANS + MOMENTS)
    assert cli.run(["export", str(trace), "--to", "pprof", "--at", at, "-o", str(tmp_path / "out")]) == 2
    assert told in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_peak_needs_a_file(capfd):
    assert cli.run(["export", "-", "--to", "pprof"]) == 2
    assert "two replays: write it to a file" in capfd.readouterr().err


# Call stacks.


def test_a_recording_with_stacks_has_them_as_frames(tmp_path):
    (tmp_path / "t").write_bytes(written(STACKED, WITH_STACKS))
    found = at_moment(open_trace(tmp_path / "t"), Moment("end"))
    profile = stacks(decoded(write_pprof(found)))
    assert {stack for stack in profile if stack[-1] == "main.main"} == {("main.main",), ('=a "b", c', "main.f", "main.main")}


def named(*functions: str) -> list[tuple[str, str, int]]:
    return [(name, "", 0) for name in functions]


@pytest.mark.parametrize(
    "functions, lacks_caller, wanted",
    [
        ("runtime.newobject reflect.unsafe_New main.f runtime.main", False, "reflect.unsafe_New main.f runtime.main"),
        ("reflect.unsafe_New main.f runtime.main", True, "main.f runtime.main"),
        ("runtime.newobject main.f", True, "main.f"),
        ("main.f runtime.gopanic main.g", False, "main.f runtime.gopanic main.g"),
        ("runtime.malg runtime.systemstack main.f", False, "runtime.malg runtime.systemstack"),
        ("main.f runtime.systemstack", False, "main.f runtime.systemstack"),
        ("runtime.allocm runtime.newm", False, "runtime.allocm runtime.newm"),
        ("main.f", True, "main.f"),
    ],
)  # fmt: skip
def test_a_stack_is_what_go_profiles_of_it(functions, lacks_caller, wanted):
    assert as_go_profiles(named(*functions.split()), lacks_caller) == named(*wanted.split())


@pytest.mark.parametrize("version, lacks", [("1.19", True), ("1.25", True), ("1.26", False), ("9.9", False)])
def test_until_go_1_25_a_profile_lacks_who_called_mallocgc(version, lacks):
    assert lacks_caller(version) == lacks


def test_who_allocated_stands_at_the_root(tmp_path):
    """P 0 works for goroutines of main.serve, made by main.main, within a task, and then for nobody known, as P 1 did."""
    rows = [
        (Kind.WORKS_FOR, 0, 0, 0, 1, 0),
        (Kind.ALLOC, 0, 0, 24, 1, 0),
        (Kind.ALLOC, 1, 1, 24, 1, 0),
        (Kind.WORKS_FOR, 0, 0, 0, 0, 0),
        (Kind.ALLOC, 0, 2, 24, 1, 0),
        (Kind.WORKS_FOR, 1, 0, 0, 2, 0),
        (Kind.ALLOC, 1, 3, 24, 1, 0),
    ]
    functions = [Function(f"main.{name}", "/a/main.go") for name in ("main", "serve", "idle")]
    owners = [Owner(2, 1, "request", "decode", 0), Owner(3, 0, "", "", 0)]
    tables = {"new_functions": functions, "new_calls": [Call(1, 9, 0)], "new_owners": owners}
    (tmp_path / "t").write_bytes(written([replace(batch(rows, [NODE], addr=False), **tables)], replace(TWO_PS, owners=True)))
    profile = stacks(decoded(write_pprof(at_moment(open_trace(tmp_path / "t"), Moment("end")))))
    object_counts = {stack[2:-1]: values["inuse_objects"] for stack, values in profile.items() if stack[0] == "main.Node"}
    assert object_counts == {
        ("region decode", "task request", "main.serve", "main.main"): 1,
        ("(not known)",): 2,
        ("main.idle",): 1,
    }


# go tool pprof.


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pprof") / "orders.pb.gz"
    assert cli.run(["export", ORDERS, "--to", "pprof", "-o", str(path), "-q"]) == 0
    return path


def pprof(go: Any, *args: str | Path) -> str:
    """What `go tool pprof` prints."""
    command = [go.command, "tool", "pprof", *map(str, args)]
    told = subprocess.run(command, env=go.environ(), capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_go_tool_pprof_finds_the_same_totals(kind, go, exported):
    shown = pprof(go, "-top", "-unit=B", f"-sample_index={kind}", exported)
    total = re.search(r"of ([\d.]+)(?:B)? total", shown)
    wanted = columns(decoded(exported.read_bytes()))[kind]
    assert (int(float(total[1])) if total else 0) == wanted


def test_go_tool_pprof_reads_every_sample_back(go, exported):
    raw = pprof(go, "-raw", exported)
    profile = decoded(exported.read_bytes())
    assert len(re.findall(r"^ +\d+(?: +\d+)*: ", raw, re.MULTILINE)) >= len(profile.sample)
    assert "heap_inuse/bytes[dflt]" in raw


def test_a_profile_less_itself_is_nothing(go, exported):
    shown = pprof(go, "-top", f"-diff_base={exported}", exported)
    assert re.search(r"Showing nodes accounting for 0, 0% of", shown)
