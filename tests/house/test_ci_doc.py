"""docs/ci.md: its commands, its GitHub Actions and its script do what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_readme import commands, fenced, run, shell
from tests.kit.root import ROOT

__all__ = ["shell"]

PAGE = "docs/ci.md"
NEW = ROOT / "traces" / "orders-go1.27.msgpack"
OLD = ROOT / "traces" / "orders-go1.25.msgpack"
SMALL = ROOT / "traces" / "trees-go1.27.msgpack"
GOALLOC = f'''#!/bin/sh
if [ "$1" = record ]; then cp "{NEW}" "$3"; exit; fi
exec "{sys.executable}" -m goalloc_cli "$@"
'''
"""The command, but that a recording is the sample: there is no Go in this test."""


@pytest.fixture
def ci(shell: dict[str, str]) -> dict[str, str]:
    """A machine of a CI, in an empty folder."""
    (Path(shell["PWD"]) / "bin" / "goalloc").write_text(GOALLOC)
    return {**shell, "GITHUB_STEP_SUMMARY": str(Path(shell["PWD"]) / "summary.md")}


def steps() -> list[str]:
    """The scripts of the job that call goalloc, in order."""
    (job,) = fenced("yaml", PAGE)
    found = re.findall(r"^( +)(?:- )?run: (?:\|\n((?:\1  .*\n)+)|(.*)\n)", job, re.MULTILINE)
    scripts = [re.sub(r"^ +", "", block, flags=re.MULTILINE) if block else line for _, block, line in found]
    return [script for script in scripts if "goalloc " in script and not script.startswith("pip ")]


def script(text: str, ci: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step."""
    path = Path(ci["PWD"]) / "step.sh"
    path.write_text(text)
    return run(f"bash --noprofile --norc -eo pipefail {path}", ci)


def baseline(trace: Path, ci: dict[str, str]) -> None:
    assert run(f"goalloc replay {trace} --format msgpack -o base.replay --force -q", ci).returncode == 0


def test_every_command_works(ci: dict[str, str]) -> None:
    folder = Path(ci["PWD"])
    shutil.copy(NEW, folder / "app.msgpack")
    for number in range(1, 5):
        shutil.copy(NEW, folder / f"new-{number}.msgpack")
        assert run(f"goalloc replay {NEW} --format msgpack -o base-{number}.replay -q", ci).returncode == 0
    failed = {command: found.stderr for command in commands(PAGE) if (found := run(command, ci)).returncode not in (0,)}
    assert failed == {}


def test_the_job_passes_where_nothing_grew_and_makes_its_first_baseline(ci: dict[str, str]) -> None:
    assert len(steps()) == 2
    assert [script(step, ci).returncode for step in steps()] == [0, 0]
    summary = Path(ci["GITHUB_STEP_SUMMARY"]).read_text()
    assert summary.startswith("# app.msgpack") and "## 2 passed" in summary


def test_the_job_fails_where_the_heap_grew_and_the_summary_says_so(ci: dict[str, str]) -> None:
    baseline(SMALL, ci)
    record, compare = steps()
    script(record, ci)
    found = script(compare, ci)
    assert (found.returncode, "FAILED HeapInuse>+5%" in found.stderr) == (5, True)
    assert "FAILED" in Path(ci["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.mark.parametrize(("trace", "code"), [(OLD, 0), (SMALL, 5)])
def test_the_script_ends_as_the_limit_says(trace: Path, code: int, ci: dict[str, str]) -> None:
    baseline(trace, ci)
    (text,) = fenced("bash", PAGE)
    found = script(text, ci)
    assert (found.returncode, "the heap has grown" in found.stderr) == (code, code == 5)
    assert (Path(ci["PWD"]) / "memory.txt").exists()


def test_the_log_is_what_is_printed(ci: dict[str, str]) -> None:
    shutil.copy(NEW, Path(ci["PWD"]) / "app.msgpack")
    printed = [run(command, ci).stderr for command in commands(PAGE)[:2]][-1]
    shown = fenced("text", PAGE)[0]
    assert [re.sub(r"in [\d.]+ s", "", text) for text in (shown, printed)] == [re.sub(r"in [\d.]+ s", "", printed)] * 2
