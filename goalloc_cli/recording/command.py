"""What a command is made into so that it records itself: the flag that it gets, the file that it will write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

SETTING = "traceallocfree=1"
"""What GODEBUG must hold for a trace to have allocations in it (Go: runtime/extern.go)."""

FINE_GOGC = 10
"""A recording knows of an object's death to a collection: ten per cent of the live heap."""

GO = re.compile(r"go(\d[\w.]*)?(\.exe)?")
"""How the go command is called; go1.26.6 is what golang.org/dl installs."""
BUILDS = ("test", "run", "build", "install")
"""Its subcommands that build a program."""
TEST_BINARY = re.compile(r".*\.test(\.exe)?", re.IGNORECASE)
TEST_FLAG = re.compile(r"--?test\.")


@dataclass(frozen=True)
class Recorded:
    """A command that records itself."""

    args: list[str]
    trace: Path
    """Where it writes its execution trace."""
    name: str
    """What messages call it."""


def recorded(args: Sequence[str], trace: str | None, temporary: Path) -> Recorded:
    """How to run `args` for a recording.

    Args:
        args: the command.
        trace: the file that the command writes by itself, None if it is to be told.
        temporary: the file that a test is told to write.

    Raises:
        ValueError: the command is neither a Go test nor does it write a trace by itself.
    """
    name = PurePath(args[0]).name
    if trace is not None:
        return Recorded([*args], Path(trace), name)
    if is_test_binary(args):
        return told(args, 1, "test.trace", "test.outputdir", temporary)
    if is_go_test(args):
        return told(args, 2, "trace", "outputdir", temporary)
    raise ValueError(
        f"{args[0]} is neither a Go test binary nor go test; if the program writes an execution trace by itself, say where: "
        "--trace FILE (goalloc record --snippet prints the lines of Go for it)"
    )


def is_test_binary(args: Sequence[str]) -> bool:
    return bool(TEST_BINARY.fullmatch(PurePath(args[0]).name)) or any(TEST_FLAG.match(arg) for arg in args[1:])


def is_go_test(args: Sequence[str]) -> bool:
    return is_go(args) and list(args[1:2]) == ["test"]


def is_go(args: Sequence[str]) -> bool:
    return bool(args and GO.fullmatch(PurePath(args[0]).name))


def builds(args: Sequence[str]) -> bool:
    """Whether the go command is to build something."""
    return is_go(args) and args[1:2] != [] and args[1] in BUILDS


def only_builds(args: Sequence[str]) -> bool:
    """Whether the go command is to build a program, and not to run it."""
    return is_go(args) and (list(args[1:2]) in (["build"], ["install"]) or (is_go_test(args) and "-c" in args))


def told(args: Sequence[str], at: int, flag: str, folder_flag: str, temporary: Path) -> Recorded:
    """The command with the flag for its trace inserted at `at`, unless it has been given."""
    name = PurePath(args[0]).name
    given = flag_value(args, flag)
    if given is None:
        return Recorded([*args[:at], f"-{flag}={temporary}", *args[at:]], temporary, name)
    return Recorded([*args], Path(flag_value(args, folder_flag) or "", given), name)


def flag_value(args: Sequence[str], flag: str) -> str | None:
    """The value of -flag=value or -flag value among the arguments, as Go's flag package reads them."""
    for number, arg in enumerate(args):
        name, equals, value = arg.lstrip("-").partition("=")
        if not arg.startswith("-") or name != flag:
            continue
        if equals:
            return value
        return args[number + 1] if number + 1 < len(args) else None
    return None


def collecting_often(args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command and what its environment gets, so that the program collects often: a recording then tells finer when
    objects die. What the go command runs is told by itself, for else it and the compiler would collect often, too."""
    if is_go(args) and list(args[1:2]) in (["test"], ["run"]) and flag_value(args, "exec") is None:
        return [*args[:2], f"-exec=env GOGC={FINE_GOGC}", *args[2:]], {}
    return [*args], {"GOGC": str(FINE_GOGC)}


def with_setting(godebug: str) -> str:
    """GODEBUG with what it holds, and the setting; the last of two values counts for Go."""
    return f"{godebug},{SETTING}" if godebug else SETTING
