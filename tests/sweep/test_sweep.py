"""`goalloc sweep` on a cluster of real processes over TLS: every figure is that of `goalloc replay`, whoever found it."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.commands.several import Job, replayed
from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.documents.replay import MODEL_VERSION
from tests.kit.root import ROOT
from tests.kit.sweeps import here

if not os.environ.get("GOALLOC_NEEDS_SWEEP"):  # where it is set, the extra has to be there
    pytest.importorskip("distributed", reason="needs the extra sweep: pip install -e '.[sweep-test]'")
    pytest.importorskip("pyarrow", reason="needs the extra sweep: pip install -e '.[sweep-test]'")

from goalloc_cli.sweep import cluster as clusters
from goalloc_cli.sweep import versions
from goalloc_cli.sweep.driver import Driver, Tally
from goalloc_cli.sweep.keys import digest_of_file
from tests.kit.daskcluster import DaskCluster, dask_cluster

NAMES = ("trees-go1.24", "trees-go1.27", "wordcount-go1.27", "encoding-xml-go1.27")
TRACES = [str(ROOT / "traces" / f"{name}.msgpack") for name in NAMES]
DESIGNS = ["--go", "own,base,1.12,1.19", "--set", "page_cache=0"]
PLAIN = ["--go", "own,1.12,1.19"]
GOOD, BAD = len(TRACES), 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A trace that was cut short, and what is none."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "cut.msgpack").write_bytes(Path(TRACES[2]).read_bytes()[:50_000])
    (folder / "text.bin").write_text("nothing that anyone would know, though it is long enough")
    return [str(folder / "cut.msgpack"), str(folder / "text.bin")]


@pytest.fixture(scope="module")
def swept(cluster: DaskCluster, bad: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad traces under three designs, by two workers that nobody disturbed."""
    folder = tmp_path_factory.mktemp("swept")
    assert cli.run(["sweep", *TRACES, *bad, *PLAIN, "-o", str(folder), "-q", *cluster.options()]) == 3
    return folder


@pytest.fixture
def tallies(monkeypatch: pytest.MonkeyPatch) -> list[Tally]:
    """What each driver counted."""
    found: list[Tally] = []
    run = Driver.run

    def counted(self: Driver, *args: Any) -> Tally:
        found.append(self.tally)
        return run(self, *args)

    monkeypatch.setattr(Driver, "run", counted)
    return found


def rows(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The results, by trace and design."""
    import pyarrow.parquet as pq

    return {(row["trace"], row["design"]): row for row in pq.read_table(folder / "results.parquet").to_pylist()}


def test_one_process_without_dask_finds_the_same_bytes(
    swept: Path, bad: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "cluster", here())
    assert cli.run(["sweep", *reversed(bad), *reversed(TRACES), *PLAIN, "-o", str(tmp_path / "out"), "-q"]) == 3
    assert (tmp_path / "out" / "results.parquet").read_bytes() == (swept / "results.parquet").read_bytes()


@pytest.mark.parametrize(("design", "version"), [("own", None), ("go1.12", "1.12")])
def test_every_figure_is_that_of_replay(swept: Path, design: str, version: str | None) -> None:
    """What is compared is the document that `replay --format json` prints."""
    for trace in TRACES[1:3]:
        told = replayed(Job(trace, version), lambda events: None)
        assert told is not None
        row = rows(swept)[trace, design]
        assert (row["events"], row["gc_cycles"], row["duration_ns"]) == (
            told["summary"]["events"], told["summary"]["gc_cycles"], told["summary"]["duration_ns"],
        )  # fmt: skip
        assert (row["mode"], row["notes"]) == (told["design"]["mode"], "\n".join(told["notes"]) or None)
        for at in ("peak", "end"):
            assert {name: row[f"{at}_{name}"] for name in told["summary"][at]["memstats"]} == told["summary"][at]["memstats"]
            ledger = {part["name"]: part for part in told["fragmentation"][at]["ledger"]}
            assert {name: row[f"{at}_{name}"] for name in LABELS} == {name: ledger[name]["bytes"] for name in LABELS}
            assert row[f"{at}_requested_low"] == ledger["requested"]["low"]
            assert row[f"{at}_requested_high"] == ledger["requested"]["high"]
        at_gcs = [moment["memstats"]["HeapInuse"] for moment in told["timeline"] if moment["reason"] == "gc"]
        assert row["mean_HeapInuse"] == (round(sum(at_gcs) / len(at_gcs)) if at_gcs else None)


def test_settings_are_predicted_as_pace_does(
    cluster: DaskCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trace, settings = TRACES[1], ["--gogc", "50,200", "--memory-limit", "8MiB,off"]
    assert cli.run(["sweep", trace, *settings, "-o", str(tmp_path / "out"), "-q", *cluster.options()]) == 0
    assert cli.run(["pace", trace, *settings, "--format", "json", "-q"]) == 0
    told = [row for row in json.loads(capfd.readouterr().out)["settings"] if not row["with_tracer"]]
    found = rows(tmp_path / "out").values()
    assert len(told) == len(found) == 4
    for row in found:
        (same,) = [each for each in told if (each["gogc"], each["memory_limit"]) == (row["gogc"], row["memory_limit"])]
        assert row["pace_zone"] == same["zone"]
        assert [row["pace_peak_HeapInuse_low"], row["pace_peak_HeapInuse_high"]] == (same["peak_heap_inuse"] or [None, None])
        assert [row["pace_gc_work_low"], row["pace_gc_work_high"]] == (same["gc_work"] or [None, None])


def test_a_bad_trace_is_a_row_that_says_what_replay_says(
    swept: Path, bad: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    found = rows(swept)
    assert sum(row["status"] == "ok" for row in found.values()) == 3 * GOOD
    for trace in bad:
        assert cli.run(["replay", trace]) == 3
        assert capfd.readouterr().err == f"goalloc: {found[trace, 'own']['error']}\n"


def test_what_is_there_is_not_done_again(swept: Path, bad: list[str], tallies: list[Tally]) -> None:
    before = (swept / "results.parquet").stat()
    assert cli.run(["sweep", *TRACES, *bad, *PLAIN, "-o", str(swept), "-q"]) == 3
    assert tallies == []
    assert (swept / "results.parquet").stat() == before


def test_a_new_design_is_all_that_is_done(cluster: DaskCluster, tmp_path: Path, tallies: list[Tally]) -> None:
    def sweep(designs: str) -> None:
        assert cli.run(["sweep", *TRACES[:2], "--go", designs, "-o", str(tmp_path / "out"), "-q", *cluster.options()]) == 0

    sweep("own,1.12")
    first = rows(tmp_path / "out")
    sweep("own,1.12,1.13,1.14")
    assert [tally.replays for tally in tallies] == [4, 4]
    assert {place: rows(tmp_path / "out")[place] for place in first} == first


def test_another_spelling_of_a_design_and_a_moved_trace_are_not_replayed(
    tmp_path: Path, tallies: list[Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "cluster", here())
    out = str(tmp_path / "out")
    assert cli.run(["sweep", TRACES[1], "--go", "1.26", "-o", out, "-q"]) == 0
    moved = tmp_path / "moved.msgpack"
    moved.write_bytes(Path(TRACES[1]).read_bytes())
    assert cli.run(["sweep", str(moved), "--go", "1.26", "--set", "page_cache=1", "-o", out, "-q"]) == 0
    assert (tallies[1].replays, tallies[1].rows["known"]) == (0, 1)
    one, other = rows(tmp_path / "out").values()
    assert one["peak_HeapInuse"] == other["peak_HeapInuse"]
    assert (one["key"], {one["status"], other["status"]}) == (other["key"], {"ok"})


def test_a_failure_is_done_again_only_when_asked(cluster: DaskCluster, bad: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("nothing that anyone would know, though it is long enough")
    sweep = ["sweep", str(trace), "-o", str(tmp_path / "out"), "-q", *cluster.options()]
    assert cli.run(sweep) == 3
    os.utime(trace, ns=(0, 0))
    trace.write_bytes(Path(TRACES[0]).read_bytes())
    assert cli.run(sweep) == 0  # another file
    assert rows(tmp_path / "out")[str(trace), "own"]["status"] == "ok"


def test_urls_are_fetched_by_who_replays_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "cluster", here())
    (tmp_path / "traces").mkdir()
    for trace in TRACES[:2]:
        (tmp_path / "traces" / Path(trace).name).write_bytes(Path(trace).read_bytes())
    listed = tmp_path / "list"
    listed.write_text(f"file://{tmp_path}/traces/absent.msgpack\nnosuch://host/x\n")
    sweep = ["sweep", f"file://{tmp_path}/traces/*.msgpack", f"@{listed}", *PLAIN, "-o", str(tmp_path / "out"), "-q"]
    assert cli.run(sweep) == 3
    found = rows(tmp_path / "out")
    good = [row for row in found.values() if row["status"] == "ok"]
    assert {row["trace"] for row in good} == {f"file://{tmp_path}/traces/{Path(trace).name}" for trace in TRACES[:2]}
    assert {row["trace_digest"] for row in good} == {digest_of_file(trace) for trace in TRACES[:2]}
    absent = found[f"file://{tmp_path}/traces/absent.msgpack", "own"]
    assert (absent["status"], absent["error_kind"]) == ("failed", "FileNotFoundError")
    assert absent["error"].endswith("No such file or directory")
    assert "nosuch" in found["nosuch://host/x", "own"]["error"]
    assert list(Path(tempfile.gettempdir()).glob("goalloc-*.trace")) == []


def test_a_url_whose_file_is_the_same_is_not_fetched_again(
    tmp_path: Path, tallies: list[Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "cluster", here())
    trace = tmp_path / "t.msgpack"
    trace.write_bytes(Path(TRACES[0]).read_bytes())
    sweep = ["sweep", f"file://{trace}", "-o", str(tmp_path / "out"), "-q"]
    assert [cli.run(sweep), cli.run(sweep), len(tallies)] == [0, 0, 1]
    trace.write_bytes(Path(TRACES[1]).read_bytes())
    assert [cli.run(sweep), len(tallies)] == [0, 2]
    (row,) = rows(tmp_path / "out").values()
    assert row["trace_digest"] == digest_of_file(TRACES[1])


def test_a_worker_that_is_killed_costs_nothing(
    swept: Path, cluster: DaskCluster, bad: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    take = Tally.take

    def taken(self: Tally, found: list[dict[str, Any]]) -> None:
        if not killed:
            killed.append(found[0]["pid"])
            os.kill(killed[0], signal.SIGKILL)
        take(self, found)

    monkeypatch.setattr(Tally, "take", taken)
    monkeypatch.setattr("goalloc_cli.sweep.plan.MOST_EVENTS", 1)  # a task for each row
    assert cli.run(["sweep", *TRACES, *bad, *PLAIN, "-o", str(tmp_path / "out"), "-q", *cluster.options()]) == 3
    assert killed
    assert (tmp_path / "out" / "results.parquet").read_bytes() == (swept / "results.parquet").read_bytes()


def test_no_more_than_three_tasks_a_worker_are_under_way(
    cluster: DaskCluster, tmp_path: Path, tallies: list[Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goalloc_cli.sweep.plan.MOST_EVENTS", 1)
    go = ",".join(f"1.{minor}" for minor in range(18, 28))
    assert cli.run(["sweep", TRACES[1], "--go", go, "-o", str(tmp_path / "out"), "-q", *cluster.options()]) == 0
    assert tallies[0].tasks == 10
    assert tallies[0].most_under_way <= 3 * 2


def test_a_worker_with_another_goalloc_is_refused_by_name(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    differences = versions.differences
    monkeypatch.setattr(clusters, "differences", lambda found: differences({**found, "model": "1"}))
    assert cli.run(["sweep", TRACES[0], "-o", str(tmp_path / "out"), "-q", *cluster.options()]) == 2
    told = capfd.readouterr().err
    assert "worker tls://127.0.0.1:" in told
    assert f"has another goalloc: model 1, not {MODEL_VERSION}; install the same there" in told


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--scheduler", "tcp://127.0.0.1:PORT"], "cannot be talked to"), (["FOREIGN"], "cannot be talked to")],
    ids=["without TLS", "another's certificate"],
)
def test_who_is_not_of_the_cluster_is_refused(
    options: list[str],
    problem: str,
    cluster: DaskCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1)
    port = cluster.address.rpartition(":")[2]
    words = [word.replace("PORT", port) for word in options]
    words = cluster.options("foreign") if words == ["FOREIGN"] else words
    assert cli.run(["sweep", TRACES[0], "-o", str(tmp_path / "out"), "-q", *words]) == 2
    assert problem in capfd.readouterr().err
