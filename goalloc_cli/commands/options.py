"""Options that several commands share, and what is refused before the work begins."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goalloc_cli.commands.words import FILE
from goalloc_cli.report.documents.names import FORMATS, TABLE_FORMATS

if TYPE_CHECKING:
    from goalloc_cli.trace.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {
    "": 1,
    **{unit: 1000**n for n, unit in enumerate("kmgt", 1)},
    **{f"{unit}i": 1024**n for n, unit in enumerate("kmgt", 1)},
}


def bytes_of(word: str) -> int | None:
    """A number of bytes: 500000, 500MB, 2GiB; None for what is none."""
    found = re.fullmatch(r"(\d{1,18}(?:\.\d+)?) ?([kmgt]i?|)b?", word.lower(), re.ASCII)
    return int(float(found[1]) * UNITS[found[2]]) if found else None


def size_of(text: str) -> int:
    """The same of a word that must be one, such as 100GiB."""
    found = bytes_of(text)
    if found is None:
        raise click.UsageError(f"{text!r} is no size; a size is a number and B, KiB, MiB, GiB or TiB")
    return found


def color_option(command: F) -> F:
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default=None,
        help="Colours: on a terminal only (auto), always or never. NO_COLOR and FORCE_COLOR are obeyed.",
    )(command)


def partial_option(command: F) -> F:
    return click.option("--partial", is_flag=True, help="Take what is whole of an input that was cut short.")(command)


def named(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The name of a file, which is not empty."""
    if value == "":
        raise click.BadParameter("an empty name; name a file, or - for the standard output", ctx, param)
    return value


def hushed(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """--quiet: no word of compiling either."""
    if value:
        from goalloc_cli.compiled.compiling import compiling

        compiling.hush()
    return value


QUIET: dict[str, Any] = {"is_flag": True, "callback": hushed, "help": "No progress and no notes on the standard error."}
OUTPUT: dict[str, Any] = {"metavar": "FILE", "type": FILE, "callback": named}


def gc_option(command: F) -> F:
    return click.option(
        "--gc",
        metavar="gogc=N",
        callback=lambda _, __, word: percent_of(word),
        help="Of a trace without GC cycles: put them in where Go's pacer would start them, at GOGC=N.",
    )(command)


def percent_of(word: str | None) -> int | None:
    """What --gc says: "gogc=100" is 100 percent."""
    if word is None:
        return None
    found = re.fullmatch(r"gogc=(\d{1,5})", word.lower(), re.ASCII)
    if not found or not int(found[1]):
        raise click.UsageError(f"--gc takes gogc= and a percentage, such as gogc=100, not {word!r}")
    return int(found[1])


def with_cycles(trace: Trace, gc: int | None) -> Trace:
    """The trace, with the GC cycles that --gc asks for."""
    if gc is None:
        return trace
    from goalloc_cli.importers.common.cycles import collecting

    return collecting(trace, gc)


def output_options(command: F) -> F:
    """How a report is shown, and where it goes."""
    for option in (
        color_option,
        click.option("-q", "--quiet", **QUIET),
        click.option("--force", is_flag=True, help="Replace an existing FILE."),
        click.option("-o", "--output", help="Write to FILE, whole or not at all.", **OUTPUT),
        click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True),
    ):
        command = option(command)
    return command


def table_options(command: F) -> F:
    """The same for a single table, which is not saved to be shown again."""
    for option in (
        color_option,
        click.option("--force", is_flag=True, help="Replace an existing FILE."),
        click.option("-o", "--output", help="Write to FILE, whole or not at all.", **OUTPUT),
        click.option("--format", "form", type=click.Choice(TABLE_FORMATS), default="table", show_default=True),
    ):
        command = option(command)
    return command


def refuse_early(options: dict[str, Any]) -> None:
    """What would fail after minutes of work is refused before it."""
    output = options["output"]
    to_stdout = output in (None, "-")
    if options["form"] == "msgpack" and to_stdout and sys.stdout.isatty():
        raise click.UsageError("msgpack is not for a terminal; name a file with -o, or pipe it on")
    if to_stdout or is_device(output):
        return
    if Path(output).is_dir():
        raise click.UsageError(f"{output}: is a folder; name a file")
    if os.path.lexists(output) and not options["force"]:
        raise click.UsageError(f"{output}: exists already; choose another name, or pass --force to replace it")
    refuse_folder(Path(output))


def refuse_folder(output: Path) -> None:
    """Refuse a file whose folder is not there, or takes no file; how much room there is shows when it is written."""
    if not output.parent.exists():
        raise click.UsageError(f"{output}: there is no folder {output.parent}; make it first")
    from tempfile import TemporaryFile

    from goalloc_cli.host.sink import FULL

    try:
        TemporaryFile(dir=output.parent).close()
    except OSError as error:
        if error.errno not in FULL:
            raise OSError(error.errno, error.strerror, str(output)) from None


def is_device(path: str) -> bool:
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()
