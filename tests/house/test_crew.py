"""Compiling on all cores: whatever becomes of the helpers, each part is compiled once."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from goalloc_cli.analyses.verify.ahead import PARTS as PARTS_OF_VERIFY
from goalloc_cli.analyses.verify.verify import verify
from goalloc_cli.compiled import building, crew, machine, units
from goalloc_cli.compiled.jit import Unit
from goalloc_cli.compiled.units import Built, Part
from goalloc_cli.design.releases import release
from goalloc_cli.importers.exectrace.ahead import PARTS as PARTS_OF_IMPORTS
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.model.loop import replay_batch
from tests.house.test_architecture import MODULES
from tests.kit.root import ROOT

PARTS = [Part("goalloc_cli.model.loop", f"unit{i}", ()) for i in range(9)]
RECORDINGS = ("web-go1.27-p4", "orders-stopped-go1.27", "green-tea-go1.25", "trees-go1.24", "lru-go1.23")
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
    found: list[tuple[Part, Built]] = []
    crew.Crew().build_all(PARTS, [], lambda part: False, lambda part, built: found.append((part, built)))
    assert sorted(part.name for part, _ in found) == [part.name for part in PARTS]
    assert all(built.code == part.name.encode() for part, built in found)


class Helped:
    """A crew with one helper; what is compiled, by whom."""

    def __init__(self, helper: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crew, "HELPER", [sys.executable, "-c", helper])
        monkeypatch.setattr(crew, "helpers", lambda units: 1)
        monkeypatch.setattr(building, "build", lambda part: self.here.append(part) or Built("none", (), b""))
        self.here: list[Part] = []
        self.kept: list[Part] = []
        self.crew = crew.Crew()

    def build(self, parts: list[Part], later: list[Part]) -> None:
        self.crew.build_all(parts, later, self.kept.__contains__, lambda part, built: self.kept.append(part))

    def wait(self) -> None:
        """Until the helper has no more to do."""
        with self.crew.changed:
            assert self.crew.changed.wait_for(lambda: not self.crew.employed, 60)


def test_what_will_be_needed_is_compiled_by_helpers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    helped = Helped(ANSWERS.format(times=99), monkeypatch)
    helped.build(PARTS[:1], later=PARTS[1:4])
    helped.wait()
    assert (helped.here, sorted(helped.kept)) == (PARTS[:1], PARTS[:4])


def test_what_a_helper_has_under_way_is_waited_for_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    helped = Helped(f"import time; time.sleep(1){ANSWERS.format(times=99)}", monkeypatch)
    helped.build(PARTS[:1], later=PARTS[1:4])
    while not helped.crew.under_way:
        time.sleep(0.01)
    helped.build([PARTS[4], *PARTS[1:4]], later=[])
    assert sorted(helped.kept) == PARTS[:5]


def test_what_a_helper_cannot_compile_is_left_until_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    helped = Helped("print('no number')", monkeypatch)
    build = building.build
    monkeypatch.setattr(building, "build", lambda part: helped.wait() or build(part))
    helped.build(PARTS[:1], later=PARTS[1:2])
    before = list(helped.kept)
    helped.build(PARTS[1:2], later=[])
    assert (before, helped.kept) == (PARTS[:1], PARTS[:2])


def compiled_by_a_helper(part: Part) -> Built:
    """What a helper makes of a part."""
    found: dict[Part, Built] = {}
    someone = crew.Crew()
    someone.wanted = [part]
    crew.employ(someone, found.__setitem__)
    return found[part]


def test_a_helper_compiles_what_is_compiled_here() -> None:
    part = Part("goalloc_cli.model.gccycle", "take_turn", ()).found.part
    built, here = compiled_by_a_helper(part), building.build(part)
    assert (built.returned, built.calls) == (here.returned, here.calls)
    assert len(built.calls) > 0


def test_kernels_are_called_with_what_they_are_compiled_for_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [*PARTS_OF_IMPORTS, *PARTS_OF_VERIFY]
    for part in parts:
        monkeypatch.setattr(part.found, "codes", {})
    for name in RECORDINGS:
        trace = open_trace(ROOT / "tests" / "data" / f"{name}.trace.zst")
        verify(trace, release(trace.header.go_version), design_name="own")
    assert {part.name: set(part.found.codes) for part in parts} == {part.name: {part.kinds} for part in parts}


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
