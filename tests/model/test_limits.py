"""Tables of the model that are full: each stops a replay with the name of the limit and what raises it.

Lengths are compiled in, so small ones run uncompiled, each in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.errors import DesignError, ReplayError
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.model.tables.limits import DEFAULTS, MOST_BYTES, ROW_BYTES, read_limits
from goalloc_cli.trace.event import Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT
from tests.kit.story import Event, events

CASES: dict[str, tuple[int, str, list[Event]]] = {
    "pages": (32768, "1.27", events(f"alloc {120 << 20} x 3")),
    "spans": (8, "1.27", events("alloc 40000 x 20")),
    "slot_words": (64, "1.27", events("alloc 8192 noscan x 40")),
    "queue_places": (4, "1.27", events("alloc 40000 x 20")),
    "runs": (3, "1.12", events("alloc a 40000 x 20; free a1 a3 a5 a7 a9 a11; gc!")),
    "ps": (4, "1.27", events("P4 alloc 8")),
    "objects": (70000, "1.27", [(Kind.ALLOC, 0, 70000, 8, 0)]),
}
"""A length, and what is too much for it, under which release."""


def refusal(name: str) -> str:
    """How the replay of a case ends."""
    _, release, rows = CASES[name]
    run = Run(Trace("a", Header(), iter(())), RELEASES[release], False, "gc", False)
    try:
        run.feed(batch([(*row, 0) for row in rows]))
    except ReplayError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", CASES)
def test_a_full_table_says_which_limit_it_is_and_how_to_raise_it(name: str) -> None:
    length = CASES[name][0]
    environ = {**os.environ, "NUMBA_DISABLE_JIT": "1", "GOALLOC_LIMITS": f"{name}={length}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"from tests.model.test_limits import refusal; print(refusal({name!r}))"]
    told = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100, check=True).stdout
    assert f"the model's limit of {length:,} {name} is reached; GOALLOC_LIMITS={name}={2 * length} raises it" in told


@pytest.mark.parametrize("name", CASES)
def test_with_the_default_limit_the_same_trace_is_replayed(name: str) -> None:
    assert refusal(name) == ""


def test_each_limit_has_its_case() -> None:
    assert list(CASES) == list(DEFAULTS)


def test_an_object_beyond_the_address_space_is_no_wrong_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"op":"alloc","id":1,"size":137438953472}\n')
    assert cli.run(["replay", str(path)]) == 4
    assert "limit of 8,388,608 pages is reached; GOALLOC_LIMITS=pages=16777216" in capsys.readouterr().err


@pytest.mark.parametrize("told", ["pages", "pages=x", "rows=5", "pages=40001", "ps=0", "spans=99999999999"])
def test_limits_that_are_none_are_refused(told: str) -> None:
    with pytest.raises(DesignError, match="GOALLOC_LIMITS"):
        read_limits(told)


def test_what_the_tables_take_is_not_underestimated() -> None:
    assert HEAP.itemsize <= sum(DEFAULTS[name] * ROW_BYTES[name] for name in DEFAULTS) + (1 << 19) <= MOST_BYTES


def test_limits_that_do_not_fit_together_end_a_command_in_one_line() -> None:
    environ = {**os.environ, "GOALLOC_LIMITS": "pages=33554432", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "goalloc_cli", "replay", str(ROOT / "traces" / "lru-go1.27.msgpack")]
    found = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert (found.returncode, "lower another limit" in found.stderr, found.stderr.count("\n")) == (2, True, 1)
