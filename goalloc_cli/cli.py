"""The command line: which commands there are, and how each of them ends. The only place that exits."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from goalloc_cli import __version__
from goalloc_cli.commands.check import check
from goalloc_cli.commands.classes import classes
from goalloc_cli.commands.design import design
from goalloc_cli.commands.explain import explain
from goalloc_cli.commands.export import export
from goalloc_cli.commands.import_recording import import_recording
from goalloc_cli.commands.options import color_option, size_of
from goalloc_cli.commands.pace import pace
from goalloc_cli.commands.record import record
from goalloc_cli.commands.replay import replay
from goalloc_cli.commands.show import say
from goalloc_cli.commands.stats import stats
from goalloc_cli.commands.synth import synth
from goalloc_cli.commands.verify import verify
from goalloc_cli.commands.warmup import warmup
from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.errors import FINE, UNEXPECTED, USAGE, ToldError
from goalloc_cli.host.ending import INTERRUPTED


class Commands(click.Group):
    """The group, which ends quietly when the reader of its output is gone."""

    def invoke(self, ctx: click.Context) -> Any:
        compiling.listen(lambda text: say(f"goalloc: {text}"))
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
    goalloc import app.trace -o app.msgpack    make a trace from a recording
    goalloc stats app.msgpack                  what is in it
    goalloc replay app.msgpack                 where the memory goes
    """
    ctx.obj = color
    if max_unpacked is not None:
        from goalloc_cli.host.source import limit

        limit.chosen = size_of(max_unpacked)


LOOK = (stats, replay, pace, explain, verify)
for command in (record, import_recording, check, *LOOK, synth, export, design, classes, warmup):
    cli.add_command(command)


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
