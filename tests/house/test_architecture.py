"""Who may import whom: the house stays the shape that it was drawn in."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.kit.root import ROOT

PACKAGE = ROOT / "goalloc_cli"
LONGEST_FILE = 400
MOST_MODULES = 14
MOST_ALIKE = 3
LONGEST_FUNCTION = 60

FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("sweep",),
    ("recording", "exporters"),
    ("report",),
    ("analyses",),
    ("importers",),
    ("native", "synth", "model"),
    ("results", "compiled"),
    ("host",),
    ("trace",),
    ("design",),
    ("__init__", "errors"),
)
"""The rooms from the top of the house to its ground. Imports run down."""

ROOMS: dict[str, set[str]] = {
    "__main__": {"cli", "host"},
    "cli": {"__init__", "commands", "compiled", "design", "host", "trace"},
    "commands": {"analyses", "compiled", "design", "exporters", "host", "importers", "native", "recording", "report",
                 "results", "sweep", "synth", "trace"},
    "sweep": {"__init__", "analyses", "compiled", "design", "host", "importers", "report", "results", "trace"},
    "report": {"__init__", "design", "host", "results", "trace"},
    "recording": {"host", "report"},
    "exporters": {"compiled", "importers", "report", "results", "trace"},
    "analyses": {"compiled", "design", "host", "model", "results", "trace"},
    "importers": {"compiled", "design", "host", "native", "results", "trace"},
    "native": {"design", "host", "trace"},
    "synth": {"compiled", "design", "host", "trace"},
    "model": {"compiled", "design", "results", "trace"},
    "host": {"__init__", "trace"},
    "results": {"design", "trace"},
    "trace": {"design"},
    "compiled": {"host"},
    "design": set(),
    "__init__": set(),
    "errors": set(),
}
"""What each room may import, besides itself and `errors`."""

COMPILER = {"compiled.building": {"numba", "llvmlite"}, "compiled.operations": {"numba", "llvmlite"},
            "compiled.machine": {"llvmlite"}}  # fmt: skip
"""The modules that know the compiler: what builds kernels; operations that only it has; what places code in memory."""


EXTRA = ("dask", "distributed", "pyarrow", "fsspec", "cryptography", "duckdb")
"""What only the extras `sweep` and `parquet` install."""


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
    assert {room(other) for other in of_the_package(module)} - {room(module), "errors"} <= ROOMS[room(module)]


def test_only_who_replays_looks_or_verifies_opens_the_door_to_the_model() -> None:
    outside = [m for m in MODULES if room(m) != "model" and any(room(i) == "model" for i in of_the_package(m))]
    inside = {"replay", "handles", "held", "who", "verify", "explain"}
    assert {m.split(".")[1] for m in outside if room(m) == "analyses"} == inside
    assert {room(m) for m in outside} == {"analyses"}


def test_the_compiler_lives_behind_the_decorators() -> None:
    knows = {m: {i.split(".")[0] for i in imports(m)} & {"numba", "llvmlite"} for m in MODULES}
    assert {m: names for m, names in knows.items() if names} == COMPILER


def test_what_an_extra_brings_is_imported_late_by_sweeps_and_exports_alone() -> None:
    knows = [m for m in MODULES if any(i.split(".")[0] in EXTRA for i in imports(m))]
    early = [m for m in knows for node in tree(m).body if isinstance(node, ast.Import | ast.ImportFrom)
             and str(getattr(node, "module", None) or node.names[0].name).split(".")[0] in EXTRA]  # fmt: skip
    assert ({room(m) for m in knows}, early) == ({"sweep", "exporters", "commands"}, [])


def test_of_the_trace_the_model_knows_what_an_event_is_and_no_more() -> None:
    seen = {i for m in MODULES if room(m) == "model" for i in of_the_package(m) if room(i) == "trace"}
    assert seen <= {"trace.event"}


def test_the_invariants_read_the_model_and_the_model_never_reads_them() -> None:
    rules = [m for m in MODULES if room(m) == "model" and not m.startswith("model.proof")]
    assert [m for m in rules if any(i.startswith("model.proof") for i in of_the_package(m))] == []


@pytest.mark.parametrize("rooms", [(name,) for name in ROOMS])
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
        if isinstance(node, ast.ImportFrom) and node.module == "goalloc_cli.design.allocator"
        for alias in node.names
    }
    names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    assert from_design <= {"Design", "DesignError", "contradiction"}
    assert {name for name in names if "version" in name or name.startswith(("GO_", "RELEASES"))} == set()


@pytest.mark.parametrize("module", [m for m in MODULES if m not in ("cli", "__main__", "host.ending", "compiled.helper")])
def test_only_the_command_line_and_signals_exit(module: str) -> None:
    """Click's own `ctx.exit` ends a command, not the process: cli.py takes it up. The helper that compiles is a process."""
    exits = {"exit", "quit", "sys.exit", "os._exit", "os.abort", "SystemExit", "click.exceptions.Exit", "click.Abort"}
    names = {ast.unparse(node) for node in ast.walk(tree(module)) if isinstance(node, ast.Name | ast.Attribute)}
    assert names & exits == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_file_has_one_job(module: str) -> None:
    lines = MODULES[module].read_text().count("\n")
    assert lines <= LONGEST_FILE


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=lambda folder: folder.name)
def test_a_folder_is_seen_at_a_glance(folder: Path) -> None:
    """`commands` holds a module for each command."""
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES or folder.name == "commands"


def test_imports_run_down_the_floors() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {(a, b) for a, below in ROOMS.items() for b in below if floor[b] <= floor[a]} == set()


def test_no_prefix_of_file_names_stands_for_a_folder() -> None:
    """More than three files in a folder that begin alike want a folder of their own."""
    begin = Counter((path.parent.name, path.stem.split("_")[0]) for path in MODULES.values() if "_" in path.stem)
    assert {name: count for name, count in begin.items() if count > MOST_ALIKE} == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_long_function_says_why_it_is_in_one_piece(module: str) -> None:
    source = MODULES[module].read_text()
    long = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            told = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - told.count("\n")  # type: ignore[operator]
            if lines > LONGEST_FUNCTION and "# In one piece: " not in str(ast.get_source_segment(source, node)):
                long.append(node.name)
    assert long == []
