"""Go commands that build with a mended runtime, and overlays that are kept for builds of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goalloc_cli.errors import RecordingError
from goalloc_cli.recording import overlay
from goalloc_cli.recording.command import flag_value
from goalloc_cli.recording.mend import Detail
from goalloc_cli.recording.toolchain import toolchain


class LeftAsItIs(Exception):  # noqa: N818 (it is what happens, and no error)
    """The runtime of a toolchain cannot be mended; the message says why."""


def with_overlay(args: Sequence[str], folder: Path, detail: Detail) -> tuple[list[str], dict[str, str]]:
    """A go command, and what its environment gets, so that it builds with the overlay that is written to `folder`.

    Raises:
        LeftAsItIs: the toolchain is not as expected, or cannot be read.
        FileNotFoundError, PermissionError: there is no such command.
    """
    try:
        go = toolchain(args[0], flag_value(args, "C"))
    except RecordingError as error:
        raise LeftAsItIs(str(error)) from error
    try:
        list_file = overlay.write(folder, go, detail, overlay.theirs(go, args))
        new, goflags = overlay.passed(list_file, go, args)
    except OSError as error:
        raise LeftAsItIs(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise LeftAsItIs(str(error)) from error
    return new, {"GOFLAGS": goflags}


def kept_overlay(folder: Path, detail: Detail, force: bool) -> str:
    """Write the overlay of the go command on the PATH to a folder; return the flag to build with.

    Raises:
        FileExistsError: there is one already, and it is not to be replaced.
        RecordingError: the toolchain is not as expected.
        OSError: there is no go command, its runtime cannot be read, or the folder not be written.
    """
    if (folder / overlay.LIST).exists() and not force:
        raise FileExistsError(f"{folder / overlay.LIST}: exists already")
    go = toolchain("go", None)
    try:
        return overlay.flag(overlay.write(folder, go, detail, overlay.theirs(go)))
    except ValueError as error:
        raise RecordingError(str(error)) from None
