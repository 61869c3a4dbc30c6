"""Compiling on all cores: whatever becomes of the helpers, each part is compiled once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goalloc_cli.compiled import building, crew, machine, units
from goalloc_cli.compiled.jit import Unit
from goalloc_cli.compiled.units import Built, Part
from goalloc_cli.model.loop import replay_batch
from tests.house.test_architecture import MODULES

PARTS = [Part("goalloc_cli.model.loop", f"unit{i}", ()) for i in range(9)]
ANSWERS = """
import sys
from goalloc_cli.compiled.units import Built
for _ in range({times}):
    module, name = sys.stdin.readline().split()
    answer = Built("none", (), name.encode()).packed()
    sys.stdout.buffer.write(str(len(answer)).encode() + b"\\n" + answer)
    sys.stdout.flush()
"""
"""A helper that compiles so many units, and ends."""


@pytest.mark.parametrize(
    "helper",
    [["/nowhere/python"], [sys.executable, "-c", "1"], [sys.executable, "-c", "print('no number')"],
     [sys.executable, "-c", ANSWERS.format(times=2)], [sys.executable, "-c", ANSWERS.format(times=99)]],
    ids=["cannot start", "ends at once", "answers nonsense", "ends on the way", "helps"],
)  # fmt: skip
def test_each_part_is_compiled_once(helper: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HELPER", helper)
    monkeypatch.setattr(crew, "helpers", lambda units: 2)
    monkeypatch.setattr(building, "build", lambda part: Built("none", (), part.name.encode()))
    found = list(crew.build_all(PARTS))
    assert sorted(part.name for part, _ in found) == [part.name for part in PARTS]
    assert all(built.code == part.name.encode() for part, built in found)


def test_a_helper_compiles_what_is_compiled_here() -> None:
    part = Part("goalloc_cli.model.gccycle", "take_turn", ()).found.part
    done: crew.queue.SimpleQueue[tuple[Part, Built]] = crew.queue.SimpleQueue()
    crew.employ([part], done)
    (of, built), here = done.get_nowait(), building.build(part)
    assert (of, built.returned, built.calls) == (part, here.returned, here.calls)
    assert len(built.calls) > 0


def test_a_helper_takes_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("queue", "inspect", "numba"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    test_a_helper_compiles_what_is_compiled_here()


def test_units_are_found_before_anything_is_compiled() -> None:
    kernel = Part(replay_batch.__module__, replay_batch.__name__, ())
    found = units.units_below(kernel)
    assert {"apply_other", "advance", "gc_end", "take_pages"} <= {unit.name for unit in found}
    assert len(found) == len(set(found))


@pytest.mark.parametrize("module", [m for m, path in MODULES.items() if "\n@apart\n" in path.read_text()])
def test_each_unit_says_what_it_is_compiled_for(module: str) -> None:
    __import__(f"goalloc_cli.{module}")
    found = [each for each in vars(sys.modules[f"goalloc_cli.{module}"]).values() if isinstance(each, Unit)]
    assert all(each.part.kinds and units.returned_by(each.function) for each in found)


def test_what_is_kept_is_read_as_it_was_written(tmp_path: Path) -> None:
    built = Built("int64,bool", (("goalloc_cli.model.loop", "apply_other"),), b"\x7fELF\n\tcode")
    machine.write(tmp_path / "x.code", built)
    assert machine.read(tmp_path / "x.code") == built
