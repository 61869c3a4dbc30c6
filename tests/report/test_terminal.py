"""What a terminal shows, and what a pipe gets: colour, width, progress."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goalloc_cli.trace.trace import Header
from tests.kit.commands import ROOT, goalloc, written


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A small trace of Go 1.27."""
    return written(tmp_path / "small.msgpack", Header(go_version="1.27", hints=True))


# Colour and width.


@pytest.mark.parametrize(
    ("args", "environ", "coloured"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_gets_colour_only_on_demand(args: list[str], environ: dict[str, str], coloured: bool, trace: str) -> None:
    cleared = {"NO_COLOR": "", "FORCE_COLOR": "", **environ}
    assert ("\x1b[" in goalloc("stats", trace, *args, **cleared).stdout) == coloured


def test_the_colour_may_be_chosen_before_the_command(trace: str) -> None:
    assert "\x1b[" in goalloc("--color", "always", "stats", trace, NO_COLOR="").stdout


def test_a_pipe_is_80_columns_wide_whatever_the_terminal(trace: str) -> None:
    shown = goalloc("stats", trace, COLUMNS="").stdout
    assert max(len(line) for line in shown.replace(trace, "small.msgpack").splitlines()) <= 80


def test_a_terminal_gets_colours_and_bars(trace: str) -> None:
    shown = on_terminal("stats", trace)
    assert ("\x1b[1" in shown, "█" in shown) == (True, True)


def test_msgpack_is_not_written_to_a_terminal(trace: str) -> None:
    assert "msgpack is not for a terminal" in on_terminal("stats", trace, "--format", "msgpack")


def on_terminal(*args: str) -> str:
    """What a terminal of 100 columns shows."""
    ours, theirs = pty.openpty()
    environ = {
        **os.environ,
        "TERM": "xterm",
        "COLUMNS": "100",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
    }
    environ.pop("NO_COLOR", None)
    run = subprocess.Popen(
        [sys.executable, "-m", "goalloc_cli", *args], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    shown = io.BytesIO()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown.write(part)
    run.wait(60)
    os.close(ours)
    return shown.getvalue().decode()


# Progress.


def test_progress_tells_how_far_how_fast_and_how_long() -> None:
    from goalloc_cli.host.progress import line

    assert line("replay", 5_000_000, 20_000_000, 0.5) == (
        "replay [######                  ]  25%  5.0 M events  10.0 M events/s  0:02 left"
    )


def test_progress_goes_nowhere_but_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from goalloc_cli.host.progress import progress_line

    with progress_line("replay", 10) as tick:
        assert tick is None


def test_progress_wipes_its_line_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from goalloc_cli.host import progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0)
    with progress.progress_line("replay", 10) as tick:
        time.sleep(0.001)
        assert tick is not None
        tick(5)
    assert screen.getvalue().endswith("\r\x1b[K")


def test_before_the_first_event_it_says_that_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from goalloc_cli.host import progress

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.01)
    with progress.progress_line("replay", 10):
        time.sleep(0.2)
    assert screen.getvalue() == "\r\x1b[Kreplay  reading ...\r\x1b[K"


def test_the_time_before_the_first_event_is_no_speed() -> None:
    from goalloc_cli.host.progress import line

    assert line("replay", 1_000_000, 3_000_000, 1.0, before=0).endswith("0:02 left")
    assert line("replay", 1_000_000, 3_000_000, 1.0, before=500_000).endswith("0:04 left")
    assert "left" not in line("replay", 1_000, 3_000_000, 0.1)
