"""goalloc why: the parts sum to the byte, what is the only difference has all, and a knob turned by hand is found."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.parse import design_diff
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.importers.sniff import open_trace
from tests.kit.root import ROOT

TREES = str(ROOT / "traces" / "trees-go1.27.msgpack")
RECORDING = str(ROOT / "tests" / "data" / "trees-go1.24.trace.zst")
ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")


def found(capfd: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert cli.run(["why", *args, "--format", "json", "-q"]) == 0
    document: dict[str, Any] = json.loads(capfd.readouterr().out)
    return document


@pytest.mark.parametrize(("before", "after"), [("1.14", "1.15"), ("1.21", "1.22"), ("1.25", "1.26")])
def test_the_parts_sum_to_the_byte(before: str, after: str, capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, TREES, "--go", f"{before},{after}")
    for figure in document["figures"]:
        parts = sum(part["change"][figure["key"]] for part in document["parts"])
        assert parts + document["remainder"][figure["key"]] == figure["after"] - figure["before"]
    assert set(document["remainder"].values()) == {0}


def test_the_ends_are_those_of_replays_with_the_models_own_sweeper(capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, TREES, "--go", "1.21,1.22")
    ends = [replay(open_trace(TREES), RELEASES[version], design_name="", hints=False) for version in ("1.21", "1.22")]
    peak = next(figure for figure in document["figures"] if figure["key"] == "peak_HeapInuse")
    assert [peak["before"], peak["after"]] == [int(np.ravel(end.peak)[0]["heap_inuse"]) for end in ends]


def test_the_only_difference_has_all(capfd: pytest.CaptureFixture[str]) -> None:
    assert design_diff(RELEASES["1.16"], RELEASES["1.17"]) == ["count_reserved"]
    (part,) = found(capfd, TREES, "--go", "1.16,1.17")["parts"]
    assert part["knobs"][0]["changes"][0]["links"] == ["golang/go#42612"]
    assert part["change"]["end_HeapSys"] < 0


def test_a_knob_turned_by_hand_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    document = found(capfd, ORDERS, "--set", "other_bytes=8388608", "--set", "lifo_sets=1", "--set", "tiny_size=0")
    parts = {part["knobs"][0]["name"]: part["change"] for part in document["parts"]}
    assert parts["other_bytes"] == dict.fromkeys(parts["other_bytes"], 0) | {"peak_rss": 5 << 20, "end_rss": 5 << 20}
    assert parts["lifo_sets"]["end_HeapInuse"] != 0


def test_two_releases_that_are_alike_say_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["why", TREES, "--go", "1.26,1.27", "-q"]) == 0
    shown = capfd.readouterr().out
    assert "need the same memory" in shown and "is not in the model" in shown


def test_it_names_gos_change_and_the_section(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["why", TREES, "--go", "1.25,1.26", "-q"]) == 0
    shown = capfd.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "golang/go#73581" in shown and "(3.2)" in shown


def test_a_recording_and_a_pipe_are_read_once_and_split_as_their_trace_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = str(tmp_path / "app.msgpack")
    assert cli.run(["import", RECORDING, "-o", imported, "-q"]) == 0
    as_trace = found(capfd, imported, "--go", "1.26")
    assert found(capfd, RECORDING, "--go", "1.26")["parts"] == as_trace["parts"]
    with Path(imported).open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert found(capfd, "-", "--go", "1.26")["parts"] == as_trace["parts"]


def test_csv_has_the_parts_in_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["why", TREES, "--go", "1.25,1.26", "--format", "csv", "-q"]) == 0
    rows = [row for row in csv.DictReader(capfd.readouterr().out.splitlines()) if row["table"] == "parts"]
    assert int(rows[-1]["peak_HeapInuse"]) == sum(int(row["peak_HeapInuse"]) for row in rows[:-1])


@pytest.mark.parametrize(
    "args", [[TREES], [TREES, "--go", "1.12,1.19,1.27"], [TREES, "--go", "1.9"], ["nowhere", "--go", "1.12"]]
)
def test_what_it_cannot_say_is_one_line_and_exit_2(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["why", *args])
    assert (code, capfd.readouterr().err.count("\n")) == (2, 1)
