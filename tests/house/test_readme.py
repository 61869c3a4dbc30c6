"""The README, and the pages behind it, do what they say.

Blocks of `sh` are run, line by line. Blocks of `console` begin with `$`: the first is the example, the others need Go or a
network, and only their options are tried.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.root import ROOT

README = (ROOT / "README.md").read_text()
ACCURACY = (ROOT / "docs" / "accuracy.md").read_text()
DOCUMENTS = ("inputs", "what-if", "accuracy", "memstats", "optimize", "exports")
WITH_COMMANDS = ("README.md", *(f"docs/{name}.md" for name in DOCUMENTS))
DATA = ROOT / "tests" / "data"
SETUP = "pip install . && "
RUN = ("goalloc ", "printf ", "python benchmarks/")
"""How commands begin that are run here; the others set up."""
SAMPLES = "python benchmarks/verify_samples.py"
INPUTS = {
    "app.trace": ROOT / "traces" / "orders-go1.27.msgpack",
    "old.log": DATA / "allocfree" / "churn-go1.19.txt.zst",
    "before.log": DATA / "gctrace" / "lru-go1.23.txt",
    "gctrace.log": DATA / "gctrace" / "lru-go1.27.txt",
    "memstats.json": DATA / "inhand" / "live-go1.27.3-expvar.json.zst",
    "before.txt": DATA / "inhand" / "stacks-go1.27.3-scrape.txt.zst",
    "scrape.txt": DATA / "inhand" / "live-go1.27.3-scrape.txt.zst",
    "smaps": DATA / "inhand" / "live-go1.27.3-smaps.txt.zst",
    "gctrace.trace": DATA / "gctrace" / "lru-go1.27.trace.zst",
}
"""What the reader's own files are here; the first bytes of a file tell what it is, not its name."""
GIVEN_BACK = "docs/what-if.md"
PAGES = sorted(
    str(page.relative_to(ROOT)) for folder in (".", "docs", "traces", "benchmarks") for page in (ROOT / folder).glob("*.md")
)


def fenced(language: str, page: str = "README.md") -> list[str]:
    """The blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Every command of a page that can be run here, in order."""
    lines = [line.removeprefix(SETUP) for block in fenced("sh", page) for line in block.splitlines()]
    return [line for line in lines if line.startswith(RUN)]


def elsewhere() -> list[str]:
    """The commands that need Go or a network."""
    return [line.removeprefix("$ ") for block in fenced("console")[1:] for line in block.splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a `goalloc`, in a folder with the samples and a recording of one's own."""
    for folder in ("traces", "tests", "benchmarks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for name, source in INPUTS.items():
        shutil.copy(source, tmp_path / name)
    for name, arguments in {"goalloc": '-m goalloc_cli "$@"', "python": '"$@"'}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}\n')
        program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    yield {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "PWD": str(tmp_path)}


def run(command: str, shell: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=shell["PWD"],
        env=shell,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_works_in_the_order_that_it_is_shown(page: str, shell: dict[str, str]) -> None:
    if page != "README.md":  # there it is imported
        shutil.copy(INPUTS["app.trace"], Path(shell["PWD"]) / "app.msgpack")
    failed = [(command, found.stderr) for command in commands(page) if (found := run(command, shell)).returncode]
    assert failed == []


def test_the_example_is_what_goalloc_prints(shell: dict[str, str]) -> None:
    """`...` stands for lines left out."""
    example = fenced("console")[0]
    asked, *shown = example.splitlines()
    printed = iter(run(asked.removeprefix("$ "), shell).stdout.splitlines())
    assert [line for line in shown if line != "..." and line not in printed] == []


def test_what_is_given_back_is_what_goalloc_prints(shell: dict[str, str]) -> None:
    asked, shown = fenced("text", GIVEN_BACK)[0].split("\n...\n", 1)
    printed = iter(run(asked.removeprefix("$ "), shell).stdout.splitlines())
    assert [line for line in shown.splitlines() if line != "..." and line not in printed] == []


@pytest.mark.parametrize("example", [*fenced("console")[:1], *fenced("text", GIVEN_BACK)[:1]], ids=["first", "given back"])
def test_the_examples_fit_80_columns(example: str) -> None:
    assert max(len(line) for line in example.splitlines()) <= 80


@pytest.mark.parametrize("command", elsewhere())
def test_what_is_not_run_here_has_options_that_exist(command: str, shell: dict[str, str]) -> None:
    if command.startswith("goalloc "):
        goalloc, verb, rest = command.split(" ", 2)
        assert run(f"{goalloc} {verb} --help {rest}", shell).returncode == 0
    pytest.skip("needs Go or a network: not run")


def test_the_table_is_what_the_script_measures(shell: dict[str, str]) -> None:
    """When the model comes nearer to Go, paste the new table."""
    assert SAMPLES in commands("docs/accuracy.md")
    printed = run(SAMPLES, shell).stdout.splitlines()
    assert printed
    assert [line for line in printed if line not in ACCURACY.splitlines()] == []


def test_what_the_text_says_of_several_ps_is_in_the_table() -> None:
    (row,) = [line for line in ACCURACY.splitlines() if line.startswith("| `web-")]
    said = ACCURACY[ACCURACY.index("**With several Ps") :].split("\n\n")[0]
    assert [figure for figure in re.findall(r"[\d.]+ %", said) if figure not in row] == []


def test_completion_for_the_shell_can_be_loaded(shell: dict[str, str]) -> None:
    (load,) = re.findall(r'^eval ".*"', README, re.MULTILINE)
    assert "_goalloc_completion" in run(f"{load} && complete -p goalloc", shell).stdout


def test_two_commands_do_the_set_up() -> None:
    """.ci/run takes them from here."""
    assert [line for line in README.splitlines() if line.startswith("pip install")] == [
        "pip install . && goalloc replay traces/orders-go1.27.msgpack",
        "pip install -e '.[test]' && python -m pytest -n auto",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if link and not (path.parent / link).exists()] == []
