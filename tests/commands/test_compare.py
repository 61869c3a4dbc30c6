"""goalloc compare: the sides, their inputs, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.commands.compare import compare
from goalloc_cli.commands.sides import Asked, sides
from goalloc_cli.report.documents.saved import decoded
from tests.kit.root import ROOT

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")
OLDER = str(ROOT / "traces" / "orders-go1.25.msgpack")
TREES = str(ROOT / "traces" / "trees-go1.27.msgpack")
LOG = str(ROOT / "tests" / "data" / "gctrace" / "lru-go1.27.txt")
OLD_LOG = str(ROOT / "tests" / "data" / "gctrace" / "lru-go1.23.txt")
RECORDINGS = [str(ROOT / "tests" / "data" / f"orders-{name}.trace.zst") for name in ("go1.25", "go1.27-p4")]
"""They tell who allocates."""
MEMSTATS = str(ROOT / "tests" / "data" / "inhand" / "live-go1.27.3-expvar.json.zst")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("compare") / "base.replay")
    assert cli.run(["replay", ORDERS, "--format", "msgpack", "-o", path, "-q"]) == 0
    return path


def found(capfd: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    """The document of a comparison; it has to work."""
    assert cli.run(["compare", *args, "--format", "json", "-q"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


def changes(document: dict[str, Any]) -> dict[str, Any]:
    return {row["key"]: row["change"] for row in document["figures"]}


def test_a_trace_beside_itself_is_no_change_and_fine(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", ORDERS, ORDERS, "--fail-on", "HeapInuse>+0%", "-q"]) == 0
    assert "HeapInuse at the end is the same; the peak is the same." in capfd.readouterr().out


def test_a_trace_beside_its_saved_replay_is_no_change(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert set(changes(found(capfd, ORDERS, saved)).values()) == {0}


def test_two_traces_differ_by_what_their_replays_differ_by(capfd: pytest.CaptureFixture[str]) -> None:
    compared = changes(found(capfd, OLDER, ORDERS))
    peaks = []
    for trace in (OLDER, ORDERS):
        assert cli.run(["replay", trace, "--report", "summary", "--format", "json", "-q"]) == 0
        peaks.append(json.loads(capfd.readouterr().out)["summary"]["peak"]["memstats"]["HeapInuse"])
    assert compared["peak_HeapInuse"] == peaks[1] - peaks[0]


def test_two_releases_of_one_trace_are_alike_in_who_sweeps(capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, ORDERS, "--go", "1.25,1.27")
    names = [document["sides"][side]["inputs"][0]["design"] for side in ("a", "b")]
    assert names == ["go1.25", "go1.27 own"]
    assert changes(document)["TotalAlloc"] == 0


def test_a_knob_alone_is_laid_beside_the_trace_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, ORDERS, "--set", "inline_mark_bytes=0")
    assert changes(document)["end_fixed"] < 0
    assert document["sides"]["b"]["label"] == "inline_mark_bytes=0"


def test_two_sets_of_knobs_stand_on_both_sides_of_to(capfd: pytest.CaptureFixture[str]) -> None:
    there = found(capfd, ORDERS, "--set", "page_cache=0", "--to", "--set", "page_cache=1")
    back = found(capfd, ORDERS, "--set", "page_cache=1", "--to", "--set", "page_cache=0")
    assert changes(there) == {key: -change for key, change in changes(back).items()}


def test_several_are_medians(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, saved, ORDERS, saved, "--to", OLDER, OLDER)
    assert [document["sides"][side]["recordings"] for side in ("a", "b")] == [3, 2]
    assert [row["p"] is not None for row in document["figures"]] == [True] * len(document["figures"])


def test_logs_are_compared_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert changes(found(capfd, OLD_LOG, LOG))["NumGC"] is not None


def test_a_replay_and_memstats_are_compared_in_what_both_tell(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    compared = changes(found(capfd, saved, MEMSTATS))
    assert (compared["end_HeapInuse"] is not None, compared["end_requested"]) == (True, None)


@pytest.fixture(scope="module")
def who(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Replays of two recordings, saved with who allocates."""
    paths = [str(tmp_path_factory.mktemp("who") / f"{number}.replay") for number in (1, 2)]
    for recording, path in zip(RECORDINGS, paths, strict=True):
        assert cli.run(["replay", recording, "--report", "live", "--format", "msgpack", "-o", path, "-q"]) == 0
    return paths


def test_who_has_more_alive_is_told_of_recordings_as_of_their_saved_replays(
    who: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    compared = found(capfd, *RECORDINGS)["owners"]
    assert compared == found(capfd, *who)["owners"]
    by_view = {name: {row["name"]: row["change"] for row in compared[name]["rows"]} for name in ("goroutines", "types")}
    assert ("main.main" in by_view["goroutines"], "main.order" in by_view["types"]) == (True, True)
    assert {compared[name]["all"]["change"] for name in by_view} == {sum(
        sum(row["marked"]["live_bytes"] for row in replay["who"]["types"]) * sign
        for replay, sign in zip([saved_document(path) for path in who], (-1, 1), strict=True)
    )}  # fmt: skip


def saved_document(path: str) -> dict[str, Any]:
    return decoded(path, Path(path).read_bytes())


def test_who_allocates_is_not_followed_of_one_trace_twice(capfd: pytest.CaptureFixture[str]) -> None:
    assert found(capfd, RECORDINGS[0], "--set", "page_cache=0")["owners"] is None


def test_a_limit_on_an_owner_is_followed_all_the_same() -> None:
    rule = ("--fail-on", "live[main.main]>+1GiB", "--fail-on", "live[main.main]>1KiB", "-q")
    assert cli.run(["compare", RECORDINGS[0], "--set", "page_cache=0", *rule]) == 5


def test_a_limit_that_b_crosses_ends_with_5(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", OLDER, ORDERS, "--fail-on", "HeapInuse>+1%"]) == 5
    told = capfd.readouterr()
    assert "FAILED HeapInuse>+1%" in told.err and "1 failed" in told.out


def test_of_two_and_two_no_limit_is_crossed() -> None:
    assert cli.run(["compare", OLDER, OLDER, "--to", ORDERS, ORDERS, "--fail-on", "HeapInuse>+1%", "-q"]) == 0


def test_cross_splits_the_change(capfd: pytest.CaptureFixture[str]) -> None:
    for row in found(capfd, OLDER, ORDERS, "--cross")["cross"]["rows"]:
        assert row["program"] + row["allocator"] + row["sweeping"] == row["change"]
        assert row["allocator_of_a"] == row["a_under_b"] - row["a_under_a"]


def test_cross_of_one_allocator_is_all_the_programs(capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, TREES, ORDERS, "--cross")
    assert {row["allocator"] for row in document["cross"]["rows"]} == {0}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([ORDERS], "name two inputs"),
        ([ORDERS, TREES, OLDER], "name two inputs"),
        ([ORDERS, "--go", "1.12,1.19,1.27"], "two releases"),
        ([ORDERS, "--to", ORDERS, "--to", TREES], "--to stands once"),
        ([ORDERS, "nowhere"], "nowhere"),
        ([ORDERS, TREES, "--to"], "nothing stands behind --to"),
        ([ORDERS, TREES, "--fail-on", "live>64MiB"], "live[NAME]"),
        (["-", ORDERS], "only once"),
        (["SAVED", ORDERS, "--cross"], "--cross"),
        (["SAVED", "--go", "1.12,1.27"], "need a trace"),
        ([ORDERS, TREES, "--fail-on", "Beauty>+5%"], "no figure"),
        ([ORDERS, "--go", "1.12,1.27", "--fail-on", "RSS>+5%"], "cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_2(
    args: list[str], said: str, saved: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(ORDERS).open() as file:
        monkeypatch.setattr("sys.stdin", file)
        code = cli.run(["compare", *(saved if arg == "SAVED" else arg for arg in args)])
    told = capfd.readouterr()
    assert (code, told.out, told.err.count("\n"), said in told.err) == (2, "", 1, True)


def test_a_side_that_is_damaged_is_told(saved: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.replay"
    bad.write_bytes(Path(saved).read_bytes()[:-9])
    assert cli.run(["compare", ORDERS, str(bad), "-q"]) == 3
    assert "damaged" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("args", "one_sided"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "--to", "b", "c"], ["a", "--two-sided", "--to", "b", "--to", "c"]),
        (["a", "--to=b"], ["a", "--two-sided", "--to", "b"]),
        (["a", "--set", "x=1", "--to", "--set", "x=2"], ["a", "--set", "x=1", "--two-sided", "--to-set", "x=2"]),
        (["a", "--to", "b", "--go=1.2", "-q", "--format", "json"],
         ["a", "--two-sided", "--to", "b", "--to-go", "1.2", "-q", "--format", "json"]),
    ],
)  # fmt: skip
def test_what_is_behind_to_belongs_to_the_other_side(args: list[str], one_sided: list[str]) -> None:
    assert compare.one_sided(args) == one_sided  # type: ignore[attr-defined]


def test_without_a_second_input_both_sides_are_the_same_trace() -> None:
    a, b = sides(Asked(("x",), "1.24"), Asked((), "1.27"), two_sided=True)
    assert (a.inputs, b.inputs, a.go_version, b.go_version) == (("x",), ("x",), "1.24", "1.27")
