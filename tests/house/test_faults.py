"""Faults of the machine, each the real one: no room, no rights, no memory, no terminal, and signals at any moment."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz import seeds
from goalloc_cli import cli
from tests.kit.root import ROOT

TRACE = str(ROOT / "traces" / "lru-go1.27.msgpack")
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
Run = subprocess.CompletedProcess[str]


def goalloc(*arguments: str, before: Callable[[], None] | None = None, **changed: str | None) -> Run:
    """The command line in a process of its own; `before` runs in it first."""
    environ = {key: value for key, value in {**os.environ, "GOALLOC_DEBUG": "", **changed}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "goalloc_cli", *arguments],
        capture_output=True, text=True, errors="replace", env=environ, preexec_fn=before, timeout=300, cwd=ROOT, check=False,
    )  # fmt: skip


def told(ran: Run) -> str:
    """The one line on the standard error, but for what is said of compiling."""
    lines = [line for line in ran.stderr.splitlines() if "compil" not in line]
    assert len(lines) == 1, ran.stderr
    assert "unexpected" not in lines[0]
    return lines[0]


def shell(script: str, **changed: str) -> Run:
    """A line of the shell, in which `goalloc` is this one."""
    line = f'goalloc() {{ "{sys.executable}" -m goalloc_cli "$@"; }}; set -o pipefail; {script}'
    environ = {**os.environ, "GOALLOC_DEBUG": "", **changed}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environ, cwd=ROOT, check=False)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own in memory; the test is skipped where none can be mounted."""
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("no file system can be mounted here: not root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


WRITERS = {
    "import": ["import", TRACE, "-o"],
    "export": ["export", TRACE, "--to", "jsonl", "-o"],
    "replay": ["replay", TRACE, "--format", "json", "-o"],
    "stats": ["stats", TRACE, "--format", "json", "-o"],
    "synth": ["synth", "lru", "--events", "200k", "-o"],
    "design": ["design", "--format", "json", "-o"],
}
"""Every command that writes a file, up to its name."""
writers = pytest.mark.parametrize("writer", WRITERS)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# No room, no rights


@writers
def test_a_full_disk_leaves_the_old_file(writer: str, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=8k") as disk:
        (disk / "out").write_bytes(b"precious")
        ran = goalloc(*WRITERS[writer], str(disk / "out"), "--force")
        assert ran.returncode == 1, ran.stderr
        assert told(ran) == f"goalloc: {disk / 'out'}: No space left on device; nothing was written: make room"
        assert names(disk) == ["out"]
        assert (disk / "out").read_bytes() == b"precious"


@writers
def test_a_limit_of_file_sizes_leaves_the_old_file(writer: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"precious")
    few = 1 << 10
    before = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (few, few))  # noqa: E731
    ran = goalloc(*WRITERS[writer], str(tmp_path / "out"), "--force", before=before)
    assert ran.returncode == 1, ran.stderr
    assert "File too large; nothing was written" in told(ran)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"precious"


@pytest.mark.parametrize("forced", [[], ["--force"]])
@pytest.mark.parametrize(
    "command",
    [
        *WRITERS.values(),
        ["classes", "-o"],
        ["check", "nowhere", "-o"],
        ["explain", "33", "-o"],
        ["verify", "nowhere", "-o"],
        ["replay", "nowhere", "--save-state"],
        ["replay", "nowhere", "nowhere-else", "-o"],
        ["record", "--trace", "t", "-o", os.devnull, "--keep"],
        ["record", "--trace", "t", "-o"],
    ],
    ids=lambda words: " ".join(word for word in words if "/" not in word),
)
def test_a_folder_that_is_not_there_is_refused_before_the_work(
    command: list[str], forced: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran, out = tmp_path / "ran", tmp_path / "none" / "x"
    program = ["--", "touch", str(ran)] if command[0] == "record" else []
    assert cli.run([*command, str(out), *forced, *program]) == 2
    said = capsys.readouterr().err
    assert f"{out}: there is no folder {out.parent}; make it first" in said
    assert said.count("\n") == 1
    assert not ran.exists()


def test_a_folder_in_the_place_of_the_file_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["replay", "nowhere", "-o", str(tmp_path)]) == 2
    assert f"{tmp_path}: is a folder; name a file" in capsys.readouterr().err


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ro") as disk:
        ran = goalloc("import", TRACE, "-o", str(disk / "out"))
        assert ran.returncode == 1
        assert "Read-only file system" in told(ran)


@pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")
def test_a_folder_of_others_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    ran = goalloc("import", TRACE, "-o", str(tmp_path / "out"))
    tmp_path.chmod(0o700)
    assert ran.returncode == 2
    assert "Permission denied" in told(ran)


@pytest.mark.skipif(IS_ROOT, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    ran = goalloc("stats", str(tmp_path / "secret"))
    assert ran.returncode == 2
    assert told(ran) == f"goalloc: {tmp_path / 'secret'}: Permission denied"


@pytest.mark.parametrize(
    ("name", "said"), [("gone", "No such file"), (".", "Is a directory"), ("file/x", "Not a directory")]
)
def test_a_file_that_is_not_there_is_told(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    ran = goalloc("replay", str(tmp_path / name))
    assert ran.returncode == 2
    assert said in told(ran)


def test_a_file_that_shrinks_while_it_is_read_is_cut_short(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = Path(TRACE).read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "goalloc_cli", "stats", str(pipe)], stdout=-1, stderr=-1, text=True, cwd=ROOT
    ) as child:
        pipe.write_bytes(data[: len(data) // 2])
        _, errors = child.communicate(timeout=120)
    assert child.returncode == 3
    assert "whole chunks" in errors


# Signals


@writers
def test_a_signal_at_any_moment_leaves_the_old_file_or_the_whole_new_one(writer: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    began = time.monotonic()
    assert goalloc(*WRITERS[writer], str(out)).returncode == 0
    took, size = time.monotonic() - began, out.stat().st_size
    out.write_bytes(b"precious")
    for part, number in ((0.5, signal.SIGTERM), (0.8, signal.SIGINT), (0.6, signal.SIGKILL), (0.9, signal.SIGKILL)):
        command = [sys.executable, "-m", "goalloc_cli", *WRITERS[writer], str(out), "--force"]
        with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=ROOT) as child:
            time.sleep(took * part)
            child.send_signal(number)
            _, errors = child.communicate(timeout=120)
        assert out.read_bytes() == b"precious" or out.stat().st_size == pytest.approx(size, abs=64)
        if number == signal.SIGKILL:
            continue
        assert child.returncode in (0, 130, -number), errors
        assert child.returncode == 0 or [line for line in errors.split("\n") if line and "compil" not in line] == []
        assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_work_is_quiet_and_130(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "goalloc_cli", "synth", "lru", "--events", "500M", "-o", os.devnull]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=ROOT) as child:
        time.sleep(3)
        child.send_signal(number)
        output, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert output == ""
    assert [line for line in errors.splitlines() if "compil" not in line] == []


# Streams and terminals


@pytest.mark.parametrize("command", [f"export {TRACE} --to csv -o -", f"replay {TRACE} --report all", "design", "--help"])
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    ran = shell(f"goalloc {command} | head -n 1")
    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stderr.splitlines() if "compil" not in line] == []


@pytest.mark.parametrize("command", [f"export {TRACE} --to csv -o -", f"stats {TRACE}"])
def test_a_full_standard_output_is_told(command: str) -> None:
    ran = shell(f"goalloc {command} > /dev/full")
    assert ran.returncode == 1
    assert "the standard output: No space left on device" in told(ran)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_harm_nothing(closed: str, tmp_path: Path) -> None:
    ran = shell(f"goalloc import {TRACE} -o {tmp_path}/out -q {closed}")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out").read_bytes() == Path(TRACE).read_bytes()


def test_a_closed_standard_input_is_an_empty_one() -> None:
    ran = shell("goalloc stats - <&-")
    assert ran.returncode == 3
    assert "is empty" in told(ran)


@pytest.mark.parametrize(
    "changed",
    [
        {"TERM": "dumb"},
        {"TERM": None},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"HOME": None},
        {"HOME": "/nonexistent"},
        {"COLUMNS": "1"},
    ],
)
def test_any_environment_gives_a_plain_report(changed: dict[str, str | None]) -> None:
    ran = goalloc("stats", TRACE, "--report", "all", **changed)
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert "Lifetimes" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_names_beyond_ascii_do_no_harm_where_there_is_only_ascii(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(seeds.jsonl())
    ran = goalloc("stats", str(tmp_path / "r"), "--report", "types", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ran.returncode == 0, ran.stderr


# Memory


@pytest.mark.parametrize("most_mib", [256, 512, 1024])
def test_a_limit_of_memory_is_one_line(most_mib: int) -> None:
    before = lambda: resource.setrlimit(resource.RLIMIT_AS, (most_mib << 20, most_mib << 20))  # noqa: E731
    ran = goalloc("replay", TRACE, before=before, OPENBLAS_NUM_THREADS="1")
    assert ran.returncode == 1, ran.stdout
    assert "there is not enough memory; raise the limit" in told(ran)


# The folder of compiled code. `export` has few kernels: they compile in seconds.

FEW_KERNELS = ("export", TRACE, "--to", "csv", "-o", os.devnull)


def kept(folder: Path) -> int:
    """Kernels that are kept in a folder."""
    return len(list(folder.rglob("*.code")))


def test_a_cache_folder_that_cannot_be_written_is_told_once_and_nothing_is_put_elsewhere(tmp_path: Path) -> None:
    beside = kept(ROOT / "goalloc_cli")
    with mounted(tmp_path / "home", "ro") as home:
        ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE=None, XDG_CACHE_HOME=None, HOME=str(home))
        assert ran.returncode == 0
        assert ran.stderr.count("for this run only") == 1
        assert "Read-only file system; set GOALLOC_CACHE to a folder" in ran.stderr
    assert kept(ROOT / "goalloc_cli") == beside


def test_a_cache_folder_that_is_none_is_told() -> None:
    ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE="/dev/null/cache")
    assert ran.returncode == 0
    assert "Not a directory; set GOALLOC_CACHE to a folder" in ran.stderr


def test_a_full_disk_under_the_cache_harms_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=8k") as disk:
        for _ in range(2):
            ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(disk))
            assert ran.returncode == 0
            assert "for this run only" in ran.stderr
            assert "No space left on device" in ran.stderr


def test_first_runs_at_the_same_time_all_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "goalloc_cli", *FEW_KERNELS]
    environ = {**os.environ, "GOALLOC_CACHE": str(tmp_path)}
    runs = [subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    for run in runs:
        _, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
    assert "compil" not in goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(tmp_path)).stderr


def test_a_damaged_cache_is_compiled_anew(tmp_path: Path) -> None:
    assert goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(tmp_path)).returncode == 0
    for number, path in enumerate(sorted(tmp_path.rglob("*.code"))):
        whole = path.read_bytes()
        path.write_bytes(whole[: 10 * number] if number % 2 else whole[:-1] + bytes([whole[-1] ^ 1]))
    for said in (True, False):
        ran = goalloc(*FEW_KERNELS, GOALLOC_CACHE=str(tmp_path))
        assert ran.returncode == 0, ran.stderr
        assert ("compiled in" in ran.stderr) == said
