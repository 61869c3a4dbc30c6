"""The README does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RECORDING = ROOT / "traces" / "orders-go1.27.msgpack"
SETUP = "pip install . && "
PAGES = ["README.md", "CONTRIBUTING.md", "docs/figures.md", "docs/recording.md", "docs/trace-format.md", "traces/README.md"]


def fenced(language: str) -> list[str]:
    """The blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command that begins with goalloc, in order."""
    lines = [line.removeprefix(SETUP) for block in fenced("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("goalloc ")]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a `goalloc`, in a folder with the samples and a recording of one's own."""
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    shutil.copy(RECORDING, tmp_path / "app.trace")  # its first bytes tell what it is, not its name
    program = tmp_path / "bin" / "goalloc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m goalloc_cli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    yield {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "PWD": str(tmp_path)}


def run(command: str, shell: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=shell["PWD"],
        env=shell,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_command_works_in_the_order_that_it_is_shown(shell: dict[str, str]) -> None:
    failed = [(command, found.stderr) for command in commands() if (found := run(command, shell)).returncode]
    assert failed == []


def test_the_example_is_what_goalloc_prints(shell: dict[str, str]) -> None:
    """`...` stands for lines left out."""
    (example,) = fenced("console")
    asked, *shown = example.splitlines()
    printed = iter(run(asked.removeprefix("$ "), shell).stdout.splitlines())
    assert [line for line in shown if line != "..." and line not in printed] == []


def test_the_example_fits_80_columns() -> None:
    assert max(len(line) for line in fenced("console")[0].splitlines()) <= 80


def test_completion_for_the_shell_can_be_loaded(shell: dict[str, str]) -> None:
    (load,) = re.findall(r'^eval ".*"', README, re.MULTILINE)
    assert "_goalloc_completion" in run(f"{load} && complete -p goalloc", shell).stdout


def test_two_commands_do_the_set_up() -> None:
    """.ci/run takes them from here."""
    assert [line for line in README.splitlines() if line.startswith("pip install")] == [
        "pip install . && goalloc replay traces/orders-go1.27.msgpack",
        "pip install -e '.[test]' && python -m pytest",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if link and not (path.parent / link).exists()] == []
