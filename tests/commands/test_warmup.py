"""`goalloc warmup`: what it compiles is all that other commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

GOALLOC = [sys.executable, "-m", "goalloc_cli"]
SAMPLE = "traces/web-go1.27-p4.msgpack"


@pytest.fixture(scope="module")
def warmed() -> str:
    return subprocess.run([*GOALLOC, "warmup"], capture_output=True, text=True, check=True).stderr


def test_it_says_where_the_compiled_code_is(warmed: str) -> None:
    assert "everything is compiled, in " in warmed


@pytest.mark.parametrize(
    "command",
    [["replay", SAMPLE, "--report", "all"], ["verify", SAMPLE], ["check", SAMPLE], ["replay", SAMPLE, "--go", "1.10"]],
    ids=" ".join,
)
def test_afterwards_nothing_is_left_to_compile(warmed: str, command: list[str]) -> None:
    told = subprocess.run([*GOALLOC, *command], capture_output=True, text=True, check=True).stderr
    assert "compil" not in told
