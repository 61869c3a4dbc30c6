"""What a replay comes to, as Go's benchmark format, and as benchstat reads it where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from goalloc_cli import cli
from goalloc_cli.exporters.benchstat import name_of
from tests.analyses.test_samples import outcome_of
from tests.kit.root import ROOT

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")


def exported(capfd, *options: str) -> str:
    assert cli.run(["export", ORDERS, "--to", "benchstat", "-q", *options]) == 0
    return capfd.readouterr().out


def values(text: str) -> dict[str, int]:
    """What the line of the benchmark says, by unit."""
    (line,) = [line for line in text.splitlines() if line.startswith("Benchmark")]
    words = line.split(" ")[2:]
    return {unit: int(value) for value, unit in zip(words[::2], words[1::2], strict=True)}


def test_a_line_says_what_the_replay_found(capfd):
    found, outcome = values(exported(capfd)), outcome_of("orders-go1.27")
    assert found["peak-HeapInuse-B"] == int(outcome.peak[0]["heap_inuse"])
    assert found["end-free-slots-B"] == sum(int(outcome.samples[-1][row]) for row in ("free_slots", "free_slots_cached"))
    assert found["GCs"] == int(outcome.samples[-1]["num_gc"])


def test_every_unit_is_said_to_be_exact(capfd):
    """Else benchstat asks for six samples."""
    text = exported(capfd)
    assert set(re.findall(r"^Unit (\S+) assume=exact", text, re.MULTILINE)) == set(values(text))


def test_two_designs_differ_in_their_figures_alone(capfd):
    """A line of the form "key: value" that differs would keep them from being compared."""
    one, other = exported(capfd), exported(capfd, "--go", "1.22")
    assert one != other
    assert re.sub(r"\d+ ", "", one) == re.sub(r"\d+ ", "", other)


@pytest.mark.parametrize("at", ["end", "gc:3"])
def test_one_moment_can_be_asked_for(at, capfd):
    moments = {unit.partition("-")[0] for unit in values(exported(capfd, "--at", at)) if unit != "GCs"}
    assert moments == {at}


@pytest.mark.parametrize(
    "path, name",
    [
        ("traces/orders-go1.27.msgpack", "Replay/orders-go1.27"),
        ("a b\n\"c\".trace.zst", "Replay/a_b_c_"),
        ("-", "Replay/-"),
        ("\u202e\0", "Replay/_"),
        (f"{'x' * (1 << 20)}.msgpack", f"Replay/{'x' * 100}"),
    ],
)
def test_a_name_is_one_word(path, name):
    assert name_of(path) == name


def benchstat() -> str:
    command = os.environ.get("GOALLOC_BENCHSTAT") or shutil.which("benchstat")
    if not command:
        pytest.skip("there is no benchstat: go install golang.org/x/perf/cmd/benchstat@latest")
    return command


def test_benchstat_compares_two_designs(tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    for path, more in ((old, []), (new, ["--set", "page_cache=0"])):
        assert cli.run(["export", ORDERS, "--to", "benchstat", "-o", str(path), "-q", *more]) == 0
    told = subprocess.run([benchstat(), str(old), str(new)], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.count("Replay/orders-go1.27") == 9
    assert "need >=" not in told.stdout + told.stderr
