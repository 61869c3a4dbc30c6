"""Recording Go programs: what the command runs and takes in, with real programs and a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goalloc_cli.analyses.describe import describe
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.recording.command import recorded, with_setting
from goalloc_cli.recording.snippet import SNIPPET
from goalloc_cli.results.description import TraceStats
from tests.conftest import Go
from tests.kit.root import DATA, ROOT

SOURCE = DATA / "record"
PARCELS = 1000
"""Objects that one test, or one run of the program, allocates."""


@pytest.fixture(scope="session")
def program(go: Go) -> Path:
    return go.build(SOURCE, "recorded")


@pytest.fixture(scope="session")
def server(go: Go) -> Path:
    return go.build(SOURCE / "server", "server")


@pytest.fixture(scope="session")
def tests_of(go: Go) -> Path:
    return go.build(SOURCE, "recorded.test", verb=("test", "-c"))


def goalloc(*args: object, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "goalloc_cli", *map(str, args)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd,
        env={**os.environ, "GODEBUG": "", **environ, "PYTHONPATH": str(ROOT)}, timeout=300, check=False,
    )  # fmt: skip


def told(trace: Path) -> TraceStats:
    return describe(open_trace(trace))


def parcels(trace: Path) -> int:
    return sum(row.allocs for row in told(trace).types if row.name.endswith(".parcel"))


@contextmanager
def serving(server: Path, go: Go, **environ: str) -> Iterator[str]:
    """The address of the server; it ends with the test."""
    with subprocess.Popen(
        [server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=go.environ(**environ)
    ) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        yield f"http://{run.stdout.readline().strip()}"
        run.stdin.close()


# A Go test.


def test_a_test_binary_is_recorded(tests_of: Path, tmp_path: Path) -> None:
    found = goalloc("record", "-o", "t.msgpack", "--", tests_of, "-test.run=Pack", cwd=tmp_path)
    assert (found.returncode, parcels(tmp_path / "t.msgpack")) == (0, PARCELS)


def test_its_output_comes_through(tests_of: Path, tmp_path: Path) -> None:
    found = goalloc("record", "-q", "-o", "t.msgpack", tests_of, "-test.run=Pack", cwd=tmp_path)
    assert found.stdout.splitlines()[-1] == "PASS"


def test_what_godebug_holds_stays(tests_of: Path, tmp_path: Path) -> None:
    found = goalloc("record", "-o", "t.msgpack", tests_of, "-test.run=Pack", cwd=tmp_path, GODEBUG="gctrace=0")
    assert "GODEBUG is gctrace=0,traceallocfree=1\n" in found.stdout


def test_a_failing_test_is_recorded_and_its_exit_code_passed_on(tests_of: Path, tmp_path: Path) -> None:
    found = goalloc("record", "-o", "t.msgpack", tests_of, "-test.run=Broken", cwd=tmp_path, BREAK="1")
    assert (found.returncode, parcels(tmp_path / "t.msgpack")) == (1, PARCELS)


def test_a_test_that_does_not_start_leaves_its_exit_code(tests_of: Path, tmp_path: Path) -> None:
    found = goalloc("record", "-o", "t.msgpack", tests_of, "-test.nonsense", cwd=tmp_path)
    assert (found.returncode, found.stderr.splitlines()[-1], list(tmp_path.iterdir())) == (
        2, "goalloc: recorded.test ended with exit code 2 and left no trace", [],
    )  # fmt: skip


def test_a_trace_that_was_asked_for_stays_where_it_was_asked_for(tests_of: Path, tmp_path: Path) -> None:
    args = ["-test.run=Pack", "-test.outputdir", tmp_path, "-test.trace=own.trace"]
    goalloc("record", "-o", "t.msgpack", tests_of, *args, cwd=tmp_path)
    assert parcels(tmp_path / "own.trace") == parcels(tmp_path / "t.msgpack") == PARCELS


def test_go_test_is_recorded(go: Go, tmp_path: Path) -> None:
    args = ["record", "-o", tmp_path / "t.msgpack", "--", "go", "test", "-vet=off", "-run=Pack", "."]
    found = goalloc(*args, cwd=SOURCE, **go.environ())
    assert (found.returncode, found.stdout[:3]) == (0, "ok "), found.stderr
    assert parcels(tmp_path / "t.msgpack") == PARCELS


# A program that writes its trace itself.


def test_a_program_that_records_itself_is_taken_in(program: Path, tmp_path: Path) -> None:
    args = ["--trace", "own.trace", "--", program, "-trace", "own.trace"]
    found = goalloc("record", "-o", "t.msgpack", *args, cwd=tmp_path)
    assert (found.returncode, found.stdout, parcels(tmp_path / "t.msgpack")) == (0, "packed\n", PARCELS)


def test_a_program_that_writes_no_trace_is_said_so(program: Path, tmp_path: Path) -> None:
    (tmp_path / "own.trace").write_bytes(b"from another day")
    found = goalloc("record", "-o", "t.msgpack", "--trace", "own.trace", program, cwd=tmp_path)
    assert (found.returncode, "wrote no trace to own.trace" in found.stderr, found.stderr.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("code", [0, 3, 143])
def test_a_trace_of_another_day_is_never_taken_for_this_one(code: int, tmp_path: Path) -> None:
    (tmp_path / "own.trace").write_bytes((ROOT / "traces" / "orders-go1.27.msgpack").read_bytes())
    found = goalloc("record", "-o", "t.msgpack", "--trace", "own.trace", "sh", "-c", f"exit {code}", cwd=tmp_path)
    assert (found.returncode, found.stderr.count("\n")) == (code or 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["own.trace"]


def test_the_trace_on_the_standard_output_is_not_mixed_with_the_programs_output(program: Path, tmp_path: Path) -> None:
    with (tmp_path / "t.msgpack").open("wb") as out:
        subprocess.run(
            [sys.executable, "-m", "goalloc_cli", "record", "-q", "-o", "-", "--trace", "a", program, "-trace", "a"],
            stdout=out, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=300,
        )  # fmt: skip
    assert parcels(tmp_path / "t.msgpack") == PARCELS


def test_the_raw_recording_is_kept_on_demand(tests_of: Path, tmp_path: Path) -> None:
    goalloc("record", "-o", "t.msgpack", "--keep", "raw.trace", tests_of, "-test.run=Pack", cwd=tmp_path)
    assert parcels(tmp_path / "raw.trace") == PARCELS


def test_ctrl_c_goes_to_the_program_once_and_its_recording_is_taken_in(program: Path, tmp_path: Path) -> None:
    args = ["record", "-o", "t.msgpack", "--trace", "own.trace", program, "-wait", "-trace", "own.trace"]
    with subprocess.Popen(
        [sys.executable, "-m", "goalloc_cli", *args], stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert run.stdout.readline() == "packed\n"
        run.send_signal(signal.SIGINT)
        said = run.stdout.read()
    assert (run.returncode, said, parcels(tmp_path / "t.msgpack")) == (0, "interrupts: 1\n", PARCELS)


def test_a_program_that_a_signal_ended_exits_as_in_a_shell(tests_of: Path, tmp_path: Path) -> None:
    script = tmp_path / "dies.test"
    script.write_text("#!/bin/sh\nkill -KILL $$\n")
    script.chmod(0o755)
    assert goalloc("record", "-o", "t.msgpack", script, cwd=tmp_path).returncode == 128 + signal.SIGKILL


# A server.


def test_a_running_server_is_recorded(server: Path, go: Go, tmp_path: Path) -> None:
    with serving(server, go, GODEBUG="traceallocfree=1") as url:
        args = ["--url", f"{url}/debug/pprof/trace", "--seconds", "0.3"]
        found = goalloc("record", "-o", "t.msgpack", *args, cwd=tmp_path)
    assert (found.returncode, parcels(tmp_path / "t.msgpack") >= PARCELS) == (0, True), found.stderr


def test_a_server_without_the_setting_is_said_so(server: Path, go: Go, tmp_path: Path) -> None:
    with serving(server, go) as url:
        found = goalloc("record", "-o", "t.msgpack", "--url", url, "--seconds", "0.1", cwd=tmp_path)
    assert (found.returncode, found.stderr, list(tmp_path.iterdir())) == (
        3,
        f"goalloc: {url}/debug/pprof/trace?seconds=0.1: the recording holds no alloc/free events: set "
        "GODEBUG=traceallocfree=1 in the environment of the recorded program (Go 1.23 or later) and record it again\n",
        [],
    )


# The lines of Go.


def test_the_snippet_records_a_program_without_help_from_its_environment(go: Go, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module snippet\n\ngo 1.23\n")
    (tmp_path / "record.go").write_text(SNIPPET)
    (tmp_path / "main.go").write_text(MAIN)
    built = go.build(tmp_path, "snippet")
    subprocess.run([built], cwd=tmp_path, env=go.environ(GODEBUG="gctrace=0"), check=True)
    stats = told(tmp_path / "app.trace")
    assert (stats.events["checkpoint"], {t.name: t.allocs for t in stats.types}["main.parcel"]) == (1, PARCELS)


MAIN = """\
package main

type parcel struct {
	label [5]int
	next  *parcel
}

var parcels *parcel

func main() {
	stop, err := recordAllocs("app.trace")
	if err != nil {
		panic(err)
	}
	for range 1000 {
		parcels = &parcel{next: parcels}
	}
	checkpoint("packed")
	if err := stop(); err != nil {
		panic(err)
	}
}
"""


def test_the_snippet_is_printed_as_it_is(tmp_path: Path) -> None:
    assert goalloc("record", "--snippet", cwd=tmp_path).stdout == SNIPPET


# What a command is made into.

TEMPORARY = Path("/tmp/here")


@pytest.mark.parametrize(
    ("args", "run", "trace"),
    [
        ("./x.test -test.run=A", "./x.test -test.trace=/tmp/here -test.run=A", "/tmp/here"),
        ("./bench -test.bench .", "./bench -test.trace=/tmp/here -test.bench .", "/tmp/here"),
        ("./x.test -test.trace=a", "./x.test -test.trace=a", "a"),
        ("./x.test -test.trace a -test.outputdir d", "./x.test -test.trace a -test.outputdir d", "d/a"),
        ("/usr/bin/go test -bench=. ./p", "/usr/bin/go test -trace=/tmp/here -bench=. ./p", "/tmp/here"),
        ("go test -trace a ./p", "go test -trace a ./p", "a"),
        ("go test --trace=a ./p", "go test --trace=a ./p", "a"),
    ],
)
def test_a_go_test_is_told_to_write_a_trace_unless_it_was(args: str, run: str, trace: str) -> None:
    command = recorded(args.split(), None, TEMPORARY)
    assert (command.args, command.trace) == (run.split(), Path(trace))


@pytest.mark.parametrize("args", ["./app", "go run .", "go"])
def test_any_other_program_has_to_say_where_it_writes_its_trace(args: str) -> None:
    with pytest.raises(ValueError, match="--trace FILE"):
        recorded(args.split(), None, TEMPORARY)


def test_a_program_that_writes_its_own_trace_is_run_as_it_is() -> None:
    command = recorded(["./app", "-x"], "own", TEMPORARY)
    assert (command.args, command.trace) == (["./app", "-x"], Path("own"))


@pytest.mark.parametrize(("before", "after"), [("", "traceallocfree=1"), ("a=1,b=2", "a=1,b=2,traceallocfree=1")])
def test_the_setting_comes_last_so_that_it_counts(before: str, after: str) -> None:
    assert with_setting(before) == after


@pytest.mark.parametrize(
    ("args", "told", "environ"),
    [
        (["./app"], ["./app"], {"GOGC": "10"}),
        (["go", "test", "-bench", "."], ["go", "test", "-exec=env GOGC=10", "-bench", "."], {}),
        (["go", "run", "."], ["go", "run", "-exec=env GOGC=10", "."], {}),
        (["go", "test", "-exec", "time"], ["go", "test", "-exec", "time"], {"GOGC": "10"}),
    ],
)
def test_fine_makes_the_program_collect_often_and_not_the_compiler(
    args: list[str], told: list[str], environ: dict[str, str]
) -> None:
    from goalloc_cli.recording.command import collecting_often

    assert collecting_often(args) == (told, environ)
