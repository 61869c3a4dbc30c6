"""Compiled code is kept where nobody else can write, and is never stale."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from llvmlite import binding

from goalloc_cli.compiled import keeping, machine
from tests.house.test_architecture import MODULES, of_the_package
from tests.house.test_faults import FEW_KERNELS, goalloc, kept

KERNELS = re.compile(r"^@(kernel|inner|hot|apart|operation)\b", re.MULTILINE)
NOTHING_COMPILED = {"__init__", "compiled.compiling", "compiled.keeping", "host.ending", "host.late"}
"""What `jit` needs beside the compiler: no kernel takes anything from these."""
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be someone else")
SOMEONE = 12345


# Never stale


def reachable(modules: set[str]) -> set[str]:
    """All that these modules import, and what that imports."""
    found: set[str] = set()
    while modules := modules - found:
        found |= modules
        modules = set().union(*(of_the_package(module) for module in modules))
    return found


def folder_of(module: str) -> str:
    return module.split(".")[0]


def test_every_folder_with_kernels_is_known() -> None:
    assert {folder_of(m) for m, path in MODULES.items() if KERNELS.search(path.read_text())} == set(keeping.REACHED)


@pytest.mark.parametrize("folder", keeping.REACHED)
def test_the_name_of_compiled_code_covers_all_that_its_kernels_can_import(folder: str) -> None:
    kernels = {m for m, path in MODULES.items() if folder_of(m) == folder and KERNELS.search(path.read_text())}
    needed = {MODULES[m] for m in reachable(kernels) - NOTHING_COMPILED if not m.endswith("__init__")}
    assert {path for path in needed if path.read_text()} - set(keeping.reached(folder)) == set()


@pytest.mark.parametrize(
    ("edited", "folders"),
    [
        ("compiled/keyed.py", {"compiled", "model", "analyses", "importers", "synth", "exporters"}),
        ("trace/event.py", {"model", "analyses", "importers", "synth", "exporters"}),
        ("importers/exectrace/slots/slots.py", {"importers", "exporters"}),
        ("design/gosizes.py", {"model", "analyses", "importers", "synth", "exporters"}),
        ("synth/lru.py", {"synth"}),
        ("model/spans/sweep.py", {"model", "analyses"}),
        ("compiled/jit.py", {"compiled", "model", "analyses", "importers", "synth", "exporters"}),
        ("report/forms/draw.py", set()),
    ],
)
def test_an_edit_starts_a_new_folder_for_the_kernels_that_it_can_reach(
    edited: str, folders: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "goalloc_cli"
    shutil.copytree(keeping.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(keeping, "PACKAGE", copy)
    before = {folder: keeping.fingerprint(folder) for folder in keeping.REACHED}
    with (copy / edited).open("a") as file:
        file.write("\nX = 1\n")
    assert {folder for folder in keeping.REACHED if keeping.fingerprint(folder) != before[folder]} == folders


# Nobody else's


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One of ours, two levels down."""
    found = tmp_path / "cache" / "model-1"
    for level in (found.parent, found):
        level.mkdir(mode=0o700)
    return found


def refusal(folder: Path) -> str:
    """Why a folder is refused; nothing where it is not."""
    try:
        keeping.refuse_anothers(folder)
    except OSError as error:
        return f"{Path(error.filename).name} {error.strerror}"
    return ""


def test_a_folder_of_our_own_is_fine(folder: Path) -> None:
    assert refusal(folder) == ""


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o750, 0o701])
def test_the_folder_itself_is_for_nobody_else(mode: int, folder: Path) -> None:
    folder.chmod(mode)
    assert refusal(folder).startswith("model-1 ")


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_no_level_above_may_be_written_by_others(mode: int, folder: Path) -> None:
    folder.parent.chmod(mode)
    assert refusal(folder) == "cache others may write there"


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_others_may_read_a_level_above_and_write_to_one_with_the_sticky_bit(mode: int, folder: Path) -> None:
    folder.parent.chmod(mode)
    assert refusal(folder) == ""


@as_root
@pytest.mark.parametrize("above", [0, 1, 2])
def test_no_level_belongs_to_someone_else(above: int, folder: Path) -> None:
    level = [folder, *folder.parents][above]
    os.chown(level, SOMEONE, SOMEONE)
    assert refusal(folder) == f"{level.name} belongs to someone else"


@as_root
def test_a_link_of_someone_else_is_not_followed(folder: Path) -> None:
    link = folder.parent.parent / "link"
    link.symlink_to("cache")
    assert refusal(link / "model-1") == ""
    os.lchown(link, SOMEONE, SOMEONE)
    assert refusal(link / "model-1") == "link belongs to someone else"


def test_the_levels_that_a_link_leads_to_count(folder: Path) -> None:
    link = folder.parent.parent / "link"
    link.symlink_to(folder)
    folder.parent.chmod(0o777)
    assert refusal(link) == "cache others may write there"
    assert refusal(link.parent / "." / "link" / ".." / "model-1") == "cache others may write there"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "too many links" in refusal(tmp_path / "a")


# The whole command


def planted(folder: Path) -> None:
    """Put what ends any process that runs it, with code 77, in the place of all compiled code."""
    for path in folder.rglob(f"*{keeping.SUFFIX}"):
        built = machine.read(path)
        assert built is not None
        symbol = "goalloc_cli." + path.name.removesuffix(keeping.SUFFIX).rpartition("-")[0]
        machine.write(path, built._replace(calls=(), code=trap(symbol)))


def trap(symbol: str) -> bytes:
    """An object file with one function, which ends the process."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(jit=True)
    source = f'declare void @_exit(i32)\ndefine i32 @"{symbol}"() {{\n call void @_exit(i32 77)\n ret i32 0\n}}'
    return bytes(target.emit_object(binding.parse_assembly(source)))


def test_code_is_not_loaded_from_a_folder_that_others_may_write_to(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(cache)).returncode == 0
    planted(cache)
    assert goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(cache)).returncode == 77, "the trap works where it is loaded"
    cache.chmod(0o777)
    ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(cache))
    assert ran.returncode == 0
    assert ran.stderr.count("for this run only") == 1
    assert f"{cache}: others may write there; set GOALLOC_CACHE to a folder of your own" in ran.stderr


def without_umask() -> None:
    os.umask(0)


def test_what_is_made_is_for_nobody_else_whatever_the_umask(tmp_path: Path) -> None:
    ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(tmp_path / "a" / "b"), before=without_umask)
    assert ran.returncode == 0
    assert kept(tmp_path) > 0
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")} == {0o700}
