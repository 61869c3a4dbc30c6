"""What a stranger could try: names that steer a terminal, a spreadsheet or a page; links; code in place of data."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goalloc_cli.exporters.rows import write_rows
from goalloc_cli.host.sink import write_file
from goalloc_cli.importers.rows.csv import guarded, unguarded
from goalloc_cli.importers.rows.read import read_csv
from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.trace.trace import Header
from tests.kit.root import ROOT

SOURCES = sorted((ROOT / "goalloc_cli").rglob("*.py"))

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''+x")
STEERING = ("\x1b[2J\x1b]0;title\x07", "\x9b31m", "\u202emoc.evil", "line\nbreak", "a\rb", "\u2066x\u2069", "\x00", "\u200b")
BREAKING = ("a|b", "<script>alert(1)</script>", "[x](javascript:1)", "![x](http://a/b.png)", "`code`", "| a |\n|---|")
NAMES = (*FORMULAS, *STEERING, *BREAKING)


# No code where there should be data

FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "imp", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "np.load", "numpy.load", "yaml.load"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_unpickles_or_evaluates(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] not in FORBIDDEN
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in CALLS
            assert not any(k.arg == "shell" for k in node.keywords), "no shell"
            assert not any(k.arg == "allow_pickle" for k in node.keywords)


def test_every_unpacker_of_msgpack_has_limits() -> None:
    """`unpackb` takes as many entries as there are bytes; a stream must be told."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call):
                continue
            given = {k.arg for k in node.keywords}
            if ast.unparse(node.func) == "msgpack.Unpacker":
                assert {"max_buffer_size", "max_array_len", "max_map_len", "max_ext_len"} <= given, source
            if ast.unparse(node.func) == "msgpack.unpackb" and "tail" not in ast.unparse(node):
                assert "max_ext_len" in given, source


def test_imported_modules_are_named_in_the_sources() -> None:
    """`import_module` is given a name from a table of ours, never one from an input. A helper that compiles is told by the
    process that started it."""
    users = {path.stem for path in SOURCES if "import_module(" in path.read_text()}
    assert users == {"late", "helper"}


# Names


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace whose types, sites, checkpoints and notes are all hostile."""
    rows = [{"op": "header", "notes": list(NAMES)}]
    for number, name in enumerate(NAMES):
        rows += [{"op": "alloc", "id": number, "size": 5000 + number, "type": name}, {"op": "checkpoint", "name": name}]
    path = tmp_path_factory.mktemp("names") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"op": "gc"}]))
    return path


def shown(*arguments: str) -> str:
    """Both streams of a command, as they are."""
    ran = subprocess.run(
        [sys.executable, "-m", "goalloc_cli", *arguments], capture_output=True, cwd=ROOT, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return (ran.stdout + ran.stderr).decode()


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
@pytest.mark.parametrize("command", ["stats", "replay"])
def test_a_name_steers_nothing(command: str, form: str, trace: Path) -> None:
    text = shown(command, str(trace), "--report", "all", "--format", form)
    unseen = {c for c in text if not c.isprintable()}
    assert unseen <= {"\n"}
    if form == "table":
        assert "\\x1b[2J" in text or command == "replay"


def test_a_name_colours_nothing_on_a_terminal(trace: Path) -> None:
    text = shown("--color", "always", "stats", str(trace), "--report", "types")
    for name in STEERING:
        assert name not in text


@pytest.mark.parametrize("command", ["stats", "replay"])
def test_no_cell_of_a_csv_is_a_formula(command: str, trace: Path) -> None:
    text = shown(command, str(trace), "--report", "all", "--format", "csv", "-q")
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
            assert not cell.startswith("-") or cell.lstrip("-").replace(".", "").isdecimal(), cell


@pytest.mark.parametrize("command", ["stats", "replay"])
def test_no_name_leaves_its_cell_in_markdown(command: str, trace: Path) -> None:
    text = shown(command, str(trace), "--report", "all", "--format", "markdown")
    assert "<script" not in text
    assert "](" not in text.replace("\\](", "").replace("]\\(", "")
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(len(widths), line.replace("\\|", "").count("|"))
        assert "\\`code\\`" in line or "`code`" not in line


def test_a_refusal_shows_a_hostile_name_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Jname"
    path.write_bytes(b"nothing that goalloc knows")
    ran = subprocess.run(
        [sys.executable, "-m", "goalloc_cli", "stats", str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.returncode == 3
    assert "\x1b" not in ran.stderr
    assert "\\x1b[2Jname" in ran.stderr


@pytest.mark.parametrize("name", [*NAMES, "", "'", "main.T"])
def test_an_exported_name_is_no_formula_and_comes_back(name: str) -> None:
    assert not guarded(name).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(name)) == name


def test_rows_of_csv_with_such_names_come_back(trace: Path) -> None:
    from goalloc_cli.importers.rows.read import read_jsonl

    native = io.BytesIO()
    read = read_jsonl(io.BytesIO(trace.read_bytes()), "rows")
    write_native(Header(), read.batches, native)
    native.seek(0)
    stored = read_native(native, "native")
    text = io.BytesIO()
    write_rows(stored.header, stored.batches, text, "csv")
    back = list(read_csv(io.BytesIO(text.getvalue()), "csv").batches)
    assert [new.name for batch in back for new in batch.new_types] == list(NAMES)
    assert [name for batch in back for name in batch.new_names] == list(NAMES)
    for row in csv.reader(io.StringIO(text.getvalue().decode(), newline="")):
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)


# Files


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to leave a link as someone else")
def test_a_link_to_a_device_that_someone_else_left_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "pipe")
    os.lchown(link, 12345, 12345)
    with pytest.raises(PermissionError, match="someone else"):
        write_file(link, True, lambda file: file.write(b"x"))


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "out").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "out", False, lambda file: file.write(b"x"))
    write_file(tmp_path / "out", True, lambda file: file.write(b"x"))
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "out").is_symlink()


def test_dependencies_have_lower_bounds_and_a_lock() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(">=" in needed for needed in project["dependencies"])
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    locked = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert {needed.split(">=")[0] for needed in project["dependencies"]} <= locked
