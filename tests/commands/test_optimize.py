"""goalloc optimize: its table can be replayed to the byte, its formats, what it refuses."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from goalloc_cli.analyses.optimize.optimize import own_table
from goalloc_cli.analyses.replay import replay
from goalloc_cli.cli import cli
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.design.releases import release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.native.kept import kept
from goalloc_cli.report.forms.output import encoded
from tests.kit.batches import equal
from tests.kit.root import ROOT

SAMPLES = sorted(str(path) for path in (ROOT / "traces").glob("*.msgpack"))
ORDERS, WEB = (str(ROOT / "traces" / f"{name}.msgpack") for name in ("orders-go1.27", "web-go1.27-p4"))
RECORDING = str(ROOT / "tests" / "data" / "orders-go1.27-p4.trace.zst")


def optimized(*args: str, code: int = 0) -> str:
    found = CliRunner().invoke(cli, ["optimize", *args, "-q"], catch_exceptions=False, standalone_mode=False)
    assert (found.return_value or 0) == code
    return found.stdout


@cache
def told(*args: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(optimized(*args, "--format", "json"))
    return document


def shown(form: str, *args: str) -> str:
    """The same, as a file of a format holds it."""
    return encoded(told(*args), (), form).decode()


def replayed(path: str, table: Path) -> tuple[int, int]:
    """HeapInuse at the peak and at the end, as `replay --size-classes` gives it."""
    trace = open_trace(path)
    design, name, hints = choose_design(trace.header, None, (), str(table))
    found = replay(trace, design, design_name=name, hints=hints)
    return int(found.peak[0]["heap_inuse"]), int(found.samples[-1]["heap_inuse"])


def inuse(figures: dict[str, int]) -> tuple[int, int]:
    return figures["peak_heap_inuse"], figures["end_heap_inuse"]


@pytest.mark.parametrize("trace", SAMPLES, ids=lambda path: Path(path).stem)
def test_what_it_says_is_what_replay_says_to_the_byte(trace: str, tmp_path: Path) -> None:
    """Of Go's own table, written as a file, and of the chosen one."""
    found = told(trace, "-o", str(tmp_path / "chosen.txt"))
    own = own_table(release(found["design"]))
    (tmp_path / "own.txt").write_text("".join(f"{size} {npages}\n" for size, npages in own))
    (recording,) = found["recordings"]
    assert replayed(trace, tmp_path / "own.txt") == inuse(recording["own"])
    assert replayed(trace, tmp_path / "chosen.txt") == inuse(recording["chosen"])


def test_a_recording_is_read_once_and_gives_what_its_trace_gives(tmp_path: Path) -> None:
    imported = str(tmp_path / "a.msgpack")
    assert CliRunner().invoke(cli, ["import", RECORDING, "-o", imported, "-q"]).exit_code == 0
    one, other = told(RECORDING), told(imported)
    assert one["candidates"] == other["candidates"]
    assert one["recordings"][0]["chosen"] == other["recordings"][0]["chosen"]


def test_the_same_twice_is_the_same() -> None:
    assert json.loads(optimized(ORDERS, "--format", "json")) == told(ORDERS)


def test_without_another_recording_it_is_not_known_whether_the_table_fits_the_program() -> None:
    assert told(ORDERS)["verdict"]["answer"] == "unknown"
    assert "--against" in shown("table", ORDERS)


def test_another_recording_is_judged_beside_it() -> None:
    found = told(ORDERS, "--against", WEB)
    assert [(each["name"], each["trained"]) for each in found["recordings"]] == [(ORDERS, True), (WEB, False)]
    assert found["verdict"]["answer"] in ("yes", "no", "only for this program")


def test_go_s_own_table_is_the_first_that_is_tried() -> None:
    first = told(ORDERS)["candidates"][0]
    assert (first["name"], first["change"]) == ("Go's own", 0)
    assert tuple(map(tuple, first["classes"])) == own_table(release("1.27"))


def test_what_is_chosen_is_never_worse_than_go_s_own_in_what_it_is_chosen_by() -> None:
    found = told(ORDERS, WEB)
    assert min(each["change"] for each in found["candidates"]) == found["candidates"][found["chosen"]]["change"] <= 0


def test_the_file_says_how_it_was_made(tmp_path: Path) -> None:
    optimized(ORDERS, "-o", str(tmp_path / "table.txt"), "--classes", "20")
    first, second, *_ = (tmp_path / "table.txt").read_text().splitlines()
    assert ORDERS in first
    assert "--classes 20 --align go" in second


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "json"])
def test_every_format_has_every_table_and_recording(form: str) -> None:
    text = shown(form, ORDERS, "--against", WEB)
    for wanted in ("Go's own", "0.5 span a class", "27.msgpack", "p4.msgpack", "512"):
        assert wanted in text


def test_csv_has_the_figures_as_numbers() -> None:
    rows = list(csv.DictReader(shown("csv", ORDERS).splitlines()))
    chosen = [row for row in rows if row["table"] == "candidates" and row["chosen"] == "1"]
    assert len(chosen) == 1
    assert -0.2 < float(chosen[0]["change"]) < 0


def test_it_fits_80_columns() -> None:
    assert max(len(line) for line in shown("table", ORDERS, "--against", WEB).splitlines()[1:]) <= 80


@pytest.mark.parametrize(
    "args",
    [
        (ORDERS, ORDERS), (ORDERS, "--against", ORDERS), (ORDERS, "--classes", "3"), (ORDERS, "--classes", "128"),
        (ORDERS, "--align", "4"), (ORDERS, "-o", "-"), (ORDERS, "--format", "msgpack"), ("no.msgpack",),
        (ORDERS, "--size-classes", "no.txt"), (ORDERS, "--set", "x=1"),
        (ORDERS, "--against", "no.msgpack"), (),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(args: tuple[str, ...]) -> None:
    found = CliRunner().invoke(cli, ["optimize", *args])
    assert found.exit_code != 0
    assert not isinstance(found.exception, ValueError | TypeError | ZeroDivisionError | AttributeError)


def test_a_table_that_exists_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_text("mine")
    assert CliRunner().invoke(cli, ["optimize", ORDERS, "-o", str(tmp_path / "table.txt")]).exit_code != 0
    assert (tmp_path / "table.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "args", [("--go", "1.12"), ("--set", "page_size=16384"), ("--align", "8"), ("--align", "16"), ("--classes", "4")]
)
def test_other_allocators_have_tables_as_well(args: tuple[str, ...], tmp_path: Path) -> None:
    optimized(ORDERS, *args, "-o", str(tmp_path / "table.txt"))
    shared = args if args[0] in ("--go", "--set") else ()
    args = ["optimize", ORDERS, "-q", *shared, "--size-classes", str(tmp_path / "table.txt"), "--format", "json"]
    yours = json.loads(CliRunner().invoke(cli, args, catch_exceptions=False).stdout)["candidates"][1]
    assert (yours["name"], yours["change"] <= 0) == ("yours", True)


def test_rows_without_cycles_get_them(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"op":"alloc","id":{i},"size":1040,"pointers":false}}\n' for i in range(3000)))
    assert told(str(rows), "--gc", "gogc=100")["recordings"][0]["changes"]["largest"]["peak"] < 0


def test_a_trace_is_read_again_as_often_as_one_likes(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"op":"alloc","id":{i},"size":{i},"pointers":false}}\n' for i in range(1, 100)))
    first = list(open_trace(str(rows)).batches)
    with kept(open_trace(str(rows))) as again:
        for _ in range(2):
            assert all(map(equal, again().batches, first))
