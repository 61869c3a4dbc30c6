"""A signal ends a command within moments, wherever it is, and leaves nothing: no file, no folder, no process."""

from __future__ import annotations

import _ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.kit.root import ROOT

TRACE = str(ROOT / "traces" / "lru-go1.27.msgpack")
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SOON = 10.0
"""Seconds that an end may take in these tests. By itself it takes less than 2; other tests run beside."""
GOALLOC = ["-m", "goalloc_cli"]

SPINNING = """
import sys
import numba, numpy
from goalloc_cli.__main__ import main
from goalloc_cli.native import native

@numba.njit(nogil=True)
def spin(go_on):
    while go_on[0]:
        pass

def write_native(header, batches, file, **others):
    file.write(b"half")
    file.flush()
    print("spinning", file=sys.stderr, flush=True)
    spin(numpy.ones(1, numpy.int64))

spin(numpy.zeros(1, numpy.int64))
native.write_native = write_native
main()
"""
"""The command line, in which writing a trace goes into compiled code and never comes back."""


@pytest.fixture(autouse=True)
def hung_up_as_usual() -> Iterator[None]:
    """Under nohup nobody hears SIGHUP: what is started here does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL) if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else None
    yield
    if before is not None:
        signal.signal(signal.SIGHUP, before)



@contextmanager
def running(*args: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A Python in a process of its own, in a session of its own; it does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, *args], stdout=-1, stderr=-1, text=True, cwd=ROOT, start_new_session=True,
        env={**os.environ, **environ},
    ) as run:  # fmt: skip
        try:
            yield run
        finally:
            run.kill()


def said(run: subprocess.Popen[str], word: str) -> None:
    """Wait until it has said a word on the standard error."""
    assert run.stderr is not None
    while word not in (line := run.stderr.readline()):
        assert line, f"it ended without a word of {word}"


def end(run: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Send a signal to this process alone: its exit code and what it still said. It must end soon."""
    began = time.monotonic()
    run.send_signal(number)
    output, errors = run.communicate(timeout=60)
    assert time.monotonic() - began < SOON
    return run.returncode, output, errors


def children(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    own = {int(word) for word in found.stdout.split()}
    return own.union(*(children(child) for child in own))


def left(pids: set[int]) -> set[int]:
    """Those of the processes that are still there after a while."""
    due = time.monotonic() + SOON
    while (there := {pid for pid in pids if is_alive(pid)}) and time.monotonic() < due:
        time.sleep(0.05)
    return there


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_compiled_code_that_never_comes_back(number: int, tmp_path: Path) -> None:
    with running("-c", SPINNING, "import", TRACE, "-o", str(tmp_path / "out")) as run:
        said(run, "spinning")
        assert len(list(tmp_path.iterdir())) == 1, "a file that is half written"
        assert end(run, number) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


def test_kernels_give_the_interpreter_free() -> None:
    from goalloc_cli.model.books.tally import tally

    tally(np.zeros(1, np.uint8), np.zeros(1, np.uint32), np.zeros(64, np.int64))
    assert {type(code.call)._flags_ & _ctypes.FUNCFLAG_PYTHONAPI for code in tally.codes.values()} == {0}


@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_a_signal_ends_the_compiler_and_leaves_whole_files_only(seconds: float, tmp_path: Path) -> None:
    with running(*GOALLOC, "replay", TRACE, GOALLOC_CACHE=str(tmp_path)) as run:
        said(run, "compiling")
        time.sleep(seconds)
        assert end(run, signal.SIGTERM) == (130, "", "")
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".code"}


def test_a_signal_before_the_first_module_is_read_is_quiet() -> None:
    for seconds in (0.05, 0.1, 0.2, 0.3):
        with running(*GOALLOC, "replay", TRACE) as run:
            time.sleep(seconds)
            code, _, errors = end(run, signal.SIGTERM)
        assert (code, errors) in [(130, ""), (0, ""), (-signal.SIGTERM, "")]  # the last: Python itself had not begun


def test_nohup_keeps_a_command_from_ending_with_its_terminal(tmp_path: Path) -> None:
    trap = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    args = [sys.executable, *GOALLOC, "synth", "lru", "--events", "3M", "-o", str(tmp_path / "out")]
    with running("-c", trap, *args) as run:
        time.sleep(1)
        run.send_signal(signal.SIGHUP)
        run.communicate(timeout=120)
    assert run.returncode == 0


# Several replays, each in a process


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A trace that takes a while."""
    path = str(tmp_path_factory.mktemp("big") / "big.msgpack")
    command = [sys.executable, *GOALLOC, "synth", "lru", "--events", "30M", "-q", "-o", path]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    subprocess.run([sys.executable, *GOALLOC, "replay", TRACE, "-q"], cwd=ROOT, check=True, timeout=300)  # compiled, then
    return path


@contextmanager
def several(big: str) -> Iterator[tuple[subprocess.Popen[str], set[int]]]:
    """Replays under several releases, and the processes that they have started."""
    with running(*GOALLOC, "replay", big, "--go", "1.19,1.20,1.24,1.27") as run:
        due = time.monotonic() + 60
        while len(found := children(run.pid)) < 3:  # two at work, and one that looks after Python's own resources
            assert time.monotonic() < due
            time.sleep(0.1)
        time.sleep(1)
        yield run, found


needs_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has no use for processes")


@needs_cores
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_to_the_parent_of_several_replays_ends_them_all(number: int, big: str) -> None:
    with several(big) as (run, found):
        assert end(run, number) == (130, "", "")
        assert left(found) == set()


@needs_cores
def test_replays_do_not_outlive_a_parent_that_was_killed(big: str) -> None:
    with several(big) as (run, found):
        run.kill()
        assert left(found) == set()


# Recording


def record(*command: str, tmp_path: Path) -> list[str]:
    return [*GOALLOC, "record", "-o", str(tmp_path / "t.msgpack"), "--trace", str(tmp_path / "own.trace"), "--", *command]


STUBBORN = 'trap "" INT TERM HUP; sleep 60 & echo ready >&2; while :; do wait; done'
"""A program of the shell that ignores all signals, and has started another."""


@pytest.mark.parametrize("number", ENDING)
def test_a_program_that_does_not_end_when_it_is_told_to_is_killed_with_what_it_started(number: int, tmp_path: Path) -> None:
    with running(*record("sh", "-c", STUBBORN, tmp_path=tmp_path)) as run:
        said(run, "ready")
        found = children(run.pid)
        code, output, errors = end(run, number)
        assert (code, output) == (130, "")
        assert errors == "goalloc: sh was told to end and did not; it was killed, and its recording is left out\n"
        assert left(found) == set()
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_ends_when_it_is_told_to_leaves_its_own_exit_code(tmp_path: Path) -> None:
    with running(*record("sh", "-c", "echo ready >&2; sleep 60", tmp_path=tmp_path)) as run:
        said(run, "ready")
        found = children(run.pid)
        assert end(run, signal.SIGTERM)[0] == 128 + signal.SIGTERM
        assert left(found) == set()


def test_a_signal_while_a_server_is_recorded_leaves_no_folder(tmp_path: Path) -> None:
    import socket

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        args = ["record", "-o", str(tmp_path / "t.msgpack"), "--url", url]
        with running(*GOALLOC, *args, TMPDIR=str(temporary)) as run:
            client, _ = mute.accept()
            assert client.recv(4096)
            assert len(list(temporary.iterdir())) == 1
            assert end(run, signal.SIGTERM) == (130, "", "")
            client.close()
    assert list(temporary.iterdir()) == []
