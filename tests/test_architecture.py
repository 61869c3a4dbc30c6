"""Who may import whom: the house stays the shape that it was drawn in."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "goalloc_cli"
LONGEST_FILE = 400

ROOMS = {
    "__init__": set(),
    "__main__": {"__init__", "cli", "ending"},
    "cli": {"__init__", "commands", "compiling", "design", "ending", "trace"},
    "commands": {"beside", "compiling", "design", "ending", "examine", "explain", "jit", "keeping", "parallel", "progress",
                 "recording", "replay", "report", "sizeclass", "trace", "verify"},
    "explain": {"choices", "design", "model", "replay", "sizeclass", "trace"},
    "beside": {"design", "outcome", "replay", "trace"},
    "replay": {"design", "handles", "model", "outcome", "sizeclass", "trace"},
    "verify": {"choices", "design", "model", "outcome", "replay", "sizeclass", "trace", "witnesses"},
    "witnesses": {"model", "trace"},
    "examine": {"design", "replay", "trace", "verify"},
    "model": {"choices", "design", "design_memory", "jit", "outcome", "sizeclass", "trace"},
    "report": {"__init__", "choices", "design", "outcome", "sizeclass", "trace"},
    "handles": set(),
    "outcome": {"design", "trace"},
    "ending": set(),
    "parallel": {"__init__", "ending"},
    "progress": {"ending", "trace"},
    "recording": {"ending", "report", "trace"},
    "trace": {"design", "ending", "handles", "jit", "sizeclass"},
    "sizeclass": {"design"},
    "design": {"choices", "design_memory", "knobs"},
    "design_memory": {"choices", "knobs"},
    "knobs": set(),
    "choices": set(),
    "jit": {"compiling", "keeping"},
    "keeping": {"compiling", "ending"},
    "compiling": set(),
}
"""What each file or folder of the package may import, besides itself. A new one needs a line here."""

COMPILED = ("jit", "keeping", "model.pallocbits", "model.prefetch", "trace.exectrace_handles")
"""The modules that know numba: the decorators; where their code is kept; the few operations on words and on the processor's
cache, and the functions without counted references, that only its compiler has."""


def name_of(path: Path) -> str:
    """A module's name inside the package, such as "model.mheap"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


@cache
def imports(module: str) -> frozenset[str]:
    """Full names of what a module imports anywhere in it; of its own package, the modules."""
    found: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full"
            found |= {full_name(str(node.module), alias.name) for alias in node.names}
    return frozenset(found)


def full_name(source: str, name: str) -> str:
    inside = f"{source}.{name}".removeprefix("goalloc_cli.")
    if source.split(".")[0] == "goalloc_cli" and inside in MODULES:
        return f"goalloc_cli.{inside}"
    return "goalloc_cli.__init__" if source == "goalloc_cli" else source


def of_the_package(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    inside = {name.removeprefix("goalloc_cli.") for name in imports(module) if name.startswith("goalloc_cli.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside}


def room(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_the_rooms_it_may(module: str) -> None:
    assert {room(other) for other in of_the_package(module)} - {room(module)} <= ROOMS[room(module)]


def test_only_replay_verify_its_witnesses_and_explain_open_the_door_to_the_model() -> None:
    outside = [m for m in MODULES if room(m) != "model" and any(room(i) == "model" for i in of_the_package(m))]
    assert {room(m) for m in outside} <= {"replay", "verify", "witnesses", "explain"}


def test_numba_lives_behind_jit() -> None:
    knows = [m for m in MODULES if any(i.split(".")[0] in ("numba", "llvmlite") for i in imports(m))]
    assert set(knows) <= set(COMPILED)


def test_of_the_trace_the_model_knows_what_an_event_is_and_no_more() -> None:
    seen = {i for m in MODULES if room(m) == "model" for i in of_the_package(m) if room(i) == "trace"}
    assert seen <= {"trace.event"}


def test_the_invariants_read_the_model_and_the_model_never_reads_them() -> None:
    assert [m for m in MODULES if room(m) == "model" and "model.check" in of_the_package(m)] == []


@pytest.mark.parametrize("rooms", [("model",), ("trace", "jit", "keeping"), ("report",)])
def test_imports_run_in_no_circle(rooms: tuple[str, ...]) -> None:
    """Two compiled kernels that call each other do not compile, and readers want one direction."""
    inside = [m for m in MODULES if room(m) in rooms]
    order = TopologicalSorter({m: of_the_package(m) & set(inside) for m in inside})
    order.prepare()  # raises CycleError, which shows the circle


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "model"])
def test_the_model_asks_for_a_behaviour_never_for_a_release(module: str) -> None:
    from_design = {
        alias.name
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom) and node.module == "goalloc_cli.design"
        for alias in node.names
    }
    names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    assert from_design <= {"Design", "DesignError", "contradiction"}
    assert {name for name in names if "version" in name or name.startswith(("GO_", "RELEASES"))} == set()


@pytest.mark.parametrize("module", [m for m in MODULES if m not in ("cli", "__main__", "ending")])
def test_only_the_command_line_and_signals_exit(module: str) -> None:
    """Click's own `ctx.exit` ends a command, not the process: cli.py takes it up."""
    exits = {"exit", "quit", "sys.exit", "os._exit", "os.abort", "SystemExit", "click.exceptions.Exit", "click.Abort"}
    names = {ast.unparse(node) for node in ast.walk(tree(module)) if isinstance(node, ast.Name | ast.Attribute)}
    assert names & exits == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_file_has_one_job(module: str) -> None:
    lines = MODULES[module].read_text().count("\n")
    assert lines <= LONGEST_FILE
