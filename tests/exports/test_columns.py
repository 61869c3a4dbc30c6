"""Events and samples as columns, as DuckDB, polars and pyarrow read them."""

from __future__ import annotations

import builtins
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.exporters.columns import WHO, event_tables, write_parquet
from goalloc_cli.trace.event import COLUMNS, KIND_MASK, Call, Function, Kind, Owner
from tests.analyses.test_samples import SAMPLES, outcome_of, trace_of
from tests.kit.batches import NODE, SMALL, STACKED, TWO_PS, WITH_STACKS, batch, written
from tests.kit.consumers import consumer
from tests.kit.root import ROOT

FORMS = ("parquet", "arrow")


def exported(trace: Path, folder: Path, form: str, *options: str) -> Path:
    consumer("pyarrow")
    out = folder / f"out.{form}"
    assert cli.run(["export", str(trace), "--to", form, "-o", str(out), "-q", "--force", *options]) == 0
    return out


def table(path: Path) -> Any:
    """The table in a file of either form."""
    arrow = consumer("pyarrow")
    if path.suffix == ".parquet":
        return consumer("pyarrow.parquet").read_table(path)
    return arrow.ipc.open_stream(path.read_bytes()).read_all()


def sample(name: str) -> Path:
    return ROOT / "traces" / f"{name}.msgpack"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["orders-go1.27", "web-go1.27-p4", "lru-go1.23"])
def test_a_row_is_an_event(name, form, tmp_path):
    found = table(exported(sample(name), tmp_path, form))
    batches = list(trace_of(name).batches)
    for column in COLUMNS:
        whole = np.concatenate([getattr(batch, column) for batch in batches])
        if column == "kind":
            assert found[column].to_pylist() == [Kind(int(kind) & KIND_MASK).name.lower() for kind in whole]
        else:
            there = found[column].is_valid().to_numpy()
            assert np.array_equal(found[column].fill_null(0).to_numpy()[there], whole[there]), column
            assert set(whole[~there]) <= {"p": {0xFFFF}, "addr": {0}, "arg": set(whole)}.get(column, set())
    assert found["event"].to_pylist() == list(range(len(found)))


@pytest.mark.parametrize("form", FORMS)
def test_names_stand_in_the_rows(form, tmp_path):
    (tmp_path / "t").write_bytes(written(STACKED, WITH_STACKS))
    rows = table(exported(tmp_path / "t", tmp_path, form)).to_pylist()
    allocs = [(row["kind"], row["type"], row["stack"], row["flags"]) for row in rows if row["kind"] in ("alloc", "tiny")]
    assert allocs == [
        ("alloc", "main.Node", "main.main", ""),
        ("alloc", None, "main.main", "noscan bound"),
        ("tiny", "main.Node", "main.main;main.f", ""),
        ("alloc", None, 'main.main;main.f;=a "b", c', ""),
    ]
    assert [row["name"] for row in rows if row["kind"] == "checkpoint"] == ["done"]
    (time,) = [number for number, row in enumerate(rows) if row["kind"] == "time"]
    assert [row["time_ns"] for row in rows] == [0] * time + [5_000_000_000] * (len(rows) - time)


@pytest.mark.parametrize("form", FORMS)
def test_an_allocation_says_who_made_it(form, tmp_path):
    """P 0 works for goroutines of main.f, made in main.main, within a task and region, and then for nobody known."""
    rows = [(Kind.ALLOC, 0, 0, 24, 1, 0), (Kind.WORKS_FOR, 0, 0, 0, 1, 0), (Kind.ALLOC, 0, 1, 24, 1, 0)]
    rows += [(Kind.ALLOC, 1, 2, 24, 1, 0), (Kind.FREE, 0xFFFF, 1, 0, 0, 0), (Kind.WORKS_FOR, 0, 0, 0, 0, 0)]
    tables = {"new_functions": [Function("main.f", "7"), Function("main.main", "a.go")], "new_calls": [Call(2, 9, 0)]}
    first = replace(batch(rows, [NODE], addr=False), **tables, new_owners=[Owner(1, 1, "order", "pay", 0)])
    last = batch([(Kind.ALLOC, 0, 3, 24, 1, 0)], addr=False)
    (tmp_path / "t").write_bytes(written([first, last], replace(TWO_PS, owners=True)))
    found = table(exported(tmp_path / "t", tmp_path, form)).select(WHO).to_pylist()
    assert [row for row in found if any(row.values())] == [found[2]]
    assert list(found[2].values()) == ["main.f", "order", "pay"]


@pytest.mark.parametrize("name", SAMPLES)
def test_duckdb_finds_what_stats_finds(name, tmp_path, capfd):
    duckdb = consumer("duckdb")
    path = exported(sample(name), tmp_path, "parquet")
    assert cli.run(["stats", str(sample(name)), "--format", "json", "-q"]) == 0
    stats = json.loads(capfd.readouterr().out)
    counts = dict(duckdb.sql(f"select kind, count(*) from '{path}' group by kind").fetchall())
    assert counts == stats["trace"]["events"]
    ((allocated,),) = duckdb.sql(f"select sum(size) from '{path}' where kind = 'alloc'").fetchall()
    assert allocated == stats["alloc_bytes"]


def test_polars_reads_both_forms(tmp_path):
    polars = consumer("polars")
    one = polars.read_parquet(exported(sample("orders-go1.27"), tmp_path, "parquet"))
    other = polars.read_ipc_stream(exported(sample("orders-go1.27"), tmp_path, "arrow"))
    kind = polars.col("kind").cast(polars.String)
    sums = [frame.group_by(kind).agg(polars.col("size").sum()).sort("kind") for frame in (one, other)]
    assert sums[0].equals(sums[1])


@pytest.mark.parametrize("form", FORMS)
def test_samples_are_those_of_the_replay(form, tmp_path):
    found = table(exported(sample("orders-go1.27"), tmp_path, form, "--table", "samples"))
    outcome = outcome_of("orders-go1.27")
    assert found["heap_inuse"].to_pylist() == outcome.samples["heap_inuse"].tolist()
    named = [name for name in found["name"].to_pylist() if name is not None]
    assert named == [point.name for point in outcome.checkpoints]


@pytest.mark.parametrize("name", SAMPLES)
def test_chosen_encodings_make_much_less_of_a_trace_than_the_default(name):
    parquet = consumer("pyarrow.parquet")
    batches = list(trace_of(name).batches)
    ours, default = io.BytesIO(), io.BytesIO()
    write_parquet(event_tables(batches), ours)
    parquet.write_table(next(event_tables(batches)), default, compression="zstd")
    assert ours.tell() < 0.7 * default.tell()


@pytest.mark.parametrize("form", FORMS)
def test_a_trace_of_no_events_is_a_table_of_no_rows(form, tmp_path):
    (tmp_path / "t").write_bytes(written([]))
    assert len(table(exported(tmp_path / "t", tmp_path, form))) == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_failure_leaves_no_half_a_file(form, tmp_path):
    consumer("pyarrow")
    cut = tmp_path / "cut.msgpack"
    cut.write_bytes(written(SMALL, TWO_PS)[:-100])
    assert cli.run(["export", str(cut), "--to", form, "-o", str(tmp_path / f"x.{form}")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["cut.msgpack"]


@pytest.mark.parametrize("form", FORMS)
def test_without_pyarrow_one_line_says_what_to_install(form, tmp_path, monkeypatch, capfd):
    whole = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return whole(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert cli.run(["export", str(sample("orders-go1.27")), "--to", form, "-o", str(tmp_path / f"x.{form}")]) == 2
    told = capfd.readouterr().err
    assert "pip install 'goalloc[parquet]'" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_arrow_goes_to_the_standard_output_and_parquet_does_not(tmp_path, capfdbinary):
    arrow = consumer("pyarrow")
    assert cli.run(["export", str(sample("orders-go1.27")), "--to", "arrow", "-q"]) == 0
    events = sum(outcome_of("orders-go1.27").events.values())
    assert len(arrow.ipc.open_stream(capfdbinary.readouterr().out).read_all()) == events
    assert cli.run(["export", str(sample("orders-go1.27")), "--to", "parquet"]) == 2
