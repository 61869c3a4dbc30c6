"""The command line: which commands there are, and how each of them ends. The only place that exits."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from goalloc_cli import __version__
from goalloc_cli.commands.options import color_option, size_of
from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import meant
from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.errors import FINE, UNEXPECTED, USAGE, ToldError
from goalloc_cli.host.ending import INTERRUPTED
from goalloc_cli.host.late import late

GROUPS = (
    ("Record", ("record", "import", "synth")),
    ("Look", ("replay", "stats", "check", "verify")),
    ("Ask what if (also: replay --go, replay --set)", ("pace", "why", "optimize", "design")),
    ("Many, and elsewhere", ("sweep", "compare", "export", "warmup")),
    ("Learn", ("explain", "classes")),
)
"""The commands by what one wants of them."""
NAMES = sorted(name for _, names in GROUPS for name in names)
FUNCTIONS = {"import": "import_recording"}
"""Of a command: the function, which has its module for itself; of all others it has the command's name."""


class Commands(click.Group):
    """The group: a command is imported when it is wanted. It ends quietly when the reader of its output is gone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return NAMES

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NAMES:
            return None
        function = FUNCTIONS.get(cmd_name, cmd_name)
        command: click.Command = late(f"commands.{function}:{function}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS:
            found = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(90)) for name, command in found if command])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; of a file alone, `replay`."""
        name = args[0]
        if name not in NAMES and not name.startswith("-"):
            if Path(name).is_file():
                return "replay", self.get_command(ctx, "replay"), args
            ctx.fail(f"there is no command {name!r}, and no file of that name{meant(name, NAMES)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        compiling.listen(tell_of_compiling)
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            compiling.done()
            return result
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
            raise click.exceptions.Exit(FINE) from None
        except KeyboardInterrupt:  # of a Python that has called `run`: signals end our own process elsewhere
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="goalloc %(version)s")
@color_option
@click.option("--max-unpacked", metavar="SIZE", help="Most that a gzip or zstd input may unpack to, such as 100GiB.")
@click.pass_context
def cli(ctx: click.Context, color: str | None, max_unpacked: str | None) -> None:
    """Replay Go memory-allocation traces through a model of Go's allocator.

    \b
    goalloc record -o app.msgpack -- go test -bench=Encode ./pkg    record a program
    goalloc replay app.msgpack                                      where its memory goes
    goalloc stats memstats.json --rss 740MiB                        no recording? MemStats will do
    """
    ctx.obj = color
    if max_unpacked is not None:
        from goalloc_cli.host.source import limit

        limit.chosen = size_of(max_unpacked)


def tell_of_compiling(text: str) -> None:
    """A line of its own, where a line of progress may stand."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    say(f"goalloc: {text}")


def run(args: list[str] | None = None) -> int:
    """Do what the arguments say; return the exit code."""
    try:
        result = cli.main(args, prog_name="goalloc", standalone_mode=False)
        return result if isinstance(result, int) else FINE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "goalloc"
        # Click lists the choices of an option that is missing on lines of their own.
        say(f"{where}: {' '.join(error.format_message().split())} (see {where} --help)")
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ExceptionGroup as group:
        told = [explained(error) for error in group.exceptions if isinstance(error, Exception)]
        for _, message in told:
            say(f"goalloc: {message}")
        return told[0][0]
    except Exception as error:
        if os.environ.get("GOALLOC_DEBUG"):
            raise
        code, message = explained(error)
        say(f"goalloc: {message}")
        return code


def explained(error: Exception) -> tuple[int, str]:
    """The exit code for an error, and what to tell."""
    if isinstance(error, click.ClickException):
        return USAGE, error.format_message()
    if isinstance(error, ToldError):
        return error.code, str(error)
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError | IsADirectoryError | NotADirectoryError):
        return USAGE, f"{error.filename}: {error.strerror}" if error.filename else str(error)
    unloaded = isinstance(error, ImportError | OSError) and len(error.args) < 2
    if isinstance(error, MemoryError) or (unloaded and is_short_of_memory()):
        return UNEXPECTED, "there is not enough memory; raise the limit (ulimit -v), or take a smaller trace"
    if isinstance(error, OSError):
        where = error.filename or ("the standard output" if error.errno == errno.ENOSPC else None)
        return UNEXPECTED, f"{where}: {error.strerror}" if where else str(error)
    told = f"{type(error).__name__}: {error}"
    return UNEXPECTED, f"unexpected {told}; GOALLOC_DEBUG=1 shows where. Please report it"


def is_short_of_memory() -> bool:
    """Whether the addresses of this process are limited: a library that cannot be loaded then lacks memory."""
    try:
        import resource
    except ImportError:  # not a Unix
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
