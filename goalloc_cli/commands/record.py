"""goalloc record"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from goalloc_cli.commands.import_recording import import_recording
from goalloc_cli.commands.options import OUTPUT, QUIET, bytes_of, named, refuse_early
from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import FILE
from goalloc_cli.host.ending import INTERRUPTED
from goalloc_cli.recording.command import builds, collecting_often, only_builds

SECONDS = 5.0
PATIENCE = 60.0
MAX_SIZE = "1GiB"
MOST_SECONDS = 86_400.0
"""A day."""


def number(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A range lets through what is no number: nan lies outside of none."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number of seconds", ctx, param)
    return value


def size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """A number of bytes: 500000, 500MB, 2GiB."""
    found = bytes_of(value)
    if not found:
        raise click.BadParameter(f"{value!r} is no size such as 500MB or 2GiB", ctx, param)
    return found


def detail(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """What --full adds to a recording."""
    if value not in (None, "stacks", "sizes"):
        raise click.BadParameter(f"{value!r} is not =sizes; a command comes after --", ctx, param)
    return value or "nothing"


@click.command(
    short_help="Record a Go program or a running server, as a trace.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("-o", "--output", help='The trace to write; "-" is the standard output.', **OUTPUT)
@click.option("--trace", metavar="FILE", type=FILE, help="Where COMMAND writes its execution trace by itself.")
@click.option("--url", help=f"Record the server at URL (.../debug/pprof/trace) for {SECONDS:g} --seconds.")
@click.option("--seconds", type=click.FloatRange(0, MOST_SECONDS, min_open=True), callback=number,
              help="How long to record a server.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, MOST_SECONDS), callback=number, default=PATIENCE, show_default=True,
              metavar="SECONDS", help="How much longer than that a server may take.")  # fmt: skip
@click.option("--max-size", callback=size, default=MAX_SIZE, show_default=True,
              metavar="SIZE", help="Largest recording of a server.")  # fmt: skip
@click.option("--keep", metavar="FILE", type=FILE, callback=named, help="Keep the execution trace, for go tool trace.")
@click.option("--heap-profile", metavar="FILE", type=FILE, callback=named,
              help="Of a server: keep its heap profile, too, for goalloc export --to pprof --stacks.")  # fmt: skip
@click.option("--full", is_flag=False, flag_value="stacks", metavar="[=sizes]", callback=detail,
              help="Record the size asked for and the call stack of every allocation; =sizes: no stacks.")  # fmt: skip
@click.option("--fine", is_flag=True, help="Record with GOGC=10, for goalloc pace: it tells finer when objects die.")
@click.option("--no-mend", is_flag=True, help="Let COMMAND build with Go as it is, whose recordings may break.")
@click.option("--overlay", metavar="DIR", type=click.Path(file_okay=False),
              help="Write the mended runtime to DIR, and print the flag to build with it.")  # fmt: skip
@click.option("--snippet", is_flag=True, help="Print the lines of Go with which a program records itself.")
@click.option("--force", is_flag=True, help="Replace existing FILEs.")
@click.option("-q", "--quiet", **QUIET)
@click.argument("command", nargs=-1, metavar="[--] [COMMAND...]")
@click.pass_context
def record(ctx: click.Context, /, output: str | None, snippet: bool, **options: Any) -> int:
    """Record every allocation of a Go program, and make a trace of it.

    \b
    goalloc record --full -o t.msgpack -- go test -bench=Decode ./pkg
    goalloc record -o t.msgpack -- ./pkg.test -test.bench=Decode
    goalloc record -o t.msgpack --trace app.trace -- ./app -trace app.trace
    goalloc record -o t.msgpack --url http://127.0.0.1:6060/debug/pprof/trace --seconds 5
    goalloc record --full -- go build -o app ./cmd/app
    goalloc record --snippet

    COMMAND runs with GODEBUG=traceallocfree=1; its exit code is that of goalloc. A server has to be
    started with GODEBUG=traceallocfree=1. Go 1.23 or newer. What COMMAND builds with go test, run,
    build or install has a mended runtime: as Go is, recordings break when goroutine stacks grow.
    """
    if snippet:
        from goalloc_cli.recording.snippet import SNIPPET

        click.echo(SNIPPET, nl=False)
        return 0
    check(output, options)
    if options["overlay"] is not None:
        return write_overlay(options)
    from goalloc_cli.host.sink import temporary_folder

    with temporary_folder() as folder:
        temporary = folder / "recording.trace"
        if options["url"] is not None:
            return from_server(ctx, temporary, output, options)
        if only_builds(options["command"]):
            return from_build(temporary, options)
        return from_command(ctx, temporary, output, options)


def check(output: str | None, options: dict[str, Any]) -> None:
    """Refuse what could not work before anything is run."""
    if bool(options["command"]) + (options["url"] is not None) + (options["overlay"] is not None) != 1:
        raise click.UsageError("give either a command to run (-- ./pkg.test ...) or the --url of a server")
    if options["full"] != "nothing" and options["overlay"] is None and not builds(options["command"]):
        raise click.UsageError(
            "--full has to be built in: it goes with go test, run or build, or build the program with the flag that "
            "goalloc record --full --overlay DIR prints"
        )
    if options["full"] != "nothing" and options["no_mend"]:
        raise click.UsageError("--full needs the mended runtime, so it does not go with --no-mend")
    if options["overlay"] is not None or only_builds(options["command"]):
        if output is not None:
            raise click.UsageError("a build makes no recording, so it goes without -o; run what was built, and record that")
        return
    if output is None:
        raise click.UsageError("name the trace to write with -o FILE")
    if options["fine"] and not options["command"]:
        raise click.UsageError("--fine goes with a command; start a server with GOGC=10 in its environment")
    if options["url"] is None and options["seconds"] is not None:
        raise click.UsageError("--seconds goes with --url; a command is recorded as long as it runs")
    if options["url"] is not None and options["trace"] is not None:
        raise click.UsageError("--trace goes with a command, not with --url")
    if options["url"] is None and options["heap_profile"] is not None:
        raise click.UsageError("--heap-profile goes with --url; a program writes its own, right after a runtime.GC")
    for file in (output, options["keep"], options["heap_profile"]):
        if file is not None:
            refuse_early({"output": file, "force": options["force"], "form": "msgpack"})
    for option in ("keep", "heap_profile"):
        if options[option] == "-":
            raise click.UsageError(f"--{option.replace('_', '-')} takes the name of a file")


def from_command(ctx: click.Context, temporary: Path, output: str | None, options: dict[str, Any]) -> int:
    """Run a command, take in what it wrote, and return its exit code."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.recording.child import run
    from goalloc_cli.recording.command import recorded

    try:
        command = recorded(options["command"], options["trace"], temporary)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    args, environ = built(command.args, temporary, options)
    if options["fine"]:
        args, often = collecting_often(args)
        environ = {**environ, **often}
    command = replace(command, args=args)
    ended = run(command, output == "-", environ)
    if ended.was_killed:
        say(f"goalloc: {command.name} was told to end and did not; it was killed, and its recording is left out")
        return INTERRUPTED
    code = ended.code
    if not ended.wrote:
        say(f"goalloc: {command.name} ended with exit code {code} and left no trace")
        return code
    try:
        take_in(ctx, command.trace, f"the recording of {command.name}", output, options)
    except TraceError as error:
        if not code:
            raise
        say(f"goalloc: {command.name} ended with exit code {code}; {error}")
    return code


def from_build(temporary: Path, options: dict[str, Any]) -> int:
    """Build a program whose recordings are whole; return the exit code of the go command."""
    from goalloc_cli.recording.child import build

    code = build(*built(options["command"], temporary, options))
    if not code and not options["quiet"]:
        say("goalloc: built; start it with GODEBUG=traceallocfree=1, and record it with --trace FILE or --url")
    return code


def built(args: Sequence[str], temporary: Path, options: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The command, and what its environment gets, so that Go builds with a mended runtime; as it is where that cannot be."""
    from goalloc_cli.recording.build import LeftAsItIs, with_overlay
    from goalloc_cli.recording.mend import Detail

    if options["no_mend"] or not builds(args):
        return [*args], {}
    try:
        found = with_overlay(args, temporary.with_name("overlay"), Detail(options["full"]))
    except LeftAsItIs as error:
        lacks = "" if options["full"] == "nothing" else ", and hold no sizes or call stacks"
        say(f"goalloc: Go is left as it is, and its recordings may break{lacks}: {error}")
        return [*args], {}
    if not options["quiet"]:
        say("goalloc: Go builds with a runtime whose recordings are whole; the first time takes a minute")
    return found


def write_overlay(options: dict[str, Any]) -> int:
    """Write the mended runtime of the go command on the PATH, and print the flag."""
    from goalloc_cli.recording.build import kept_overlay
    from goalloc_cli.recording.mend import Detail

    try:
        click.echo(kept_overlay(Path(options["overlay"]), Detail(options["full"]), options["force"]))
    except FileExistsError as error:
        raise click.UsageError(f"{error}; choose another DIR, or pass --force to replace it") from None
    return 0


def from_server(ctx: click.Context, temporary: Path, output: str | None, options: dict[str, Any]) -> int:
    """Record a server, and take in what it sent."""
    from goalloc_cli.recording.profile import Taken
    from goalloc_cli.recording.server import StoppedError, download, request

    seconds = options["seconds"] or SECONDS
    try:
        asked = request(options["url"], seconds, options["timeout"], options["max_size"])
        profile = None if options["heap_profile"] is None else Taken(asked)
    except ValueError as error:
        raise click.UsageError(f"--url: {error}") from None
    if profile is not None:
        profile.start()
    with temporary.open("wb") as file, progress(seconds, options["quiet"]) as tick:
        try:
            download(asked, file, tick)
        except StoppedError:
            file.flush()
            kept = temporary.with_name("kept.trace")  # what still comes goes to the other
            shutil.copyfile(temporary, kept)
            return stopped(ctx, kept, asked.url, output, options)
    take_in(ctx, temporary, asked.url, output, options)
    if profile is not None:
        keep_profile(profile.data(), profile.asked.url, output, options)
    return 0


def keep_profile(data: bytes, url: str, output: str | None, options: dict[str, Any]) -> None:
    """Write the heap profile of a server, and say of which moment of the recording it is."""
    from goalloc_cli.analyses.held import last_explicit_cycle
    from goalloc_cli.host.sink import write_file
    from goalloc_cli.importers.heapprofile import packed_heap_profile
    from goalloc_cli.importers.sniff import open_trace

    packed_heap_profile(url, data)
    path = options["heap_profile"]
    write_file(path, options["force"], lambda file: file.write(data))
    if output not in (None, "-") and not options["quiet"] and (cycle := last_explicit_cycle(open_trace(output))):
        say(f"{path}: the heap at GC {cycle}; goalloc export {output} --to pprof --at gc:{cycle} --stacks {path}")


def stopped(ctx: click.Context, kept: Path, url: str, output: str | None, options: dict[str, Any]) -> int:
    """Take in what had come when Ctrl-C ended the recording of a server."""
    if kept.stat().st_size:
        say("goalloc: stopped; what has come of the recording is kept")
        take_in(ctx, kept, url, output, options, partial=True)
    return INTERRUPTED


def take_in(
    ctx: click.Context, trace: Path, name: str, output: str | None, options: dict[str, Any], partial: bool = False
) -> None:
    """Make a trace of an execution trace; errors speak of it as `name`."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.host.sink import write_file

    force, quiet = options["force"], options["quiet"]
    if options["keep"] is not None:
        with trace.open("rb") as raw:
            write_file(options["keep"], force, lambda file: shutil.copyfileobj(raw, file))
    try:
        ctx.invoke(import_recording, recording=str(trace), output=output, no_witnesses=False, force=force, quiet=quiet,
                   partial=partial)
    except TraceError as error:
        raise type(error)(str(error).replace(str(trace), name)) from error


@contextmanager
def progress(seconds: float, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """A line on the terminal that tells how long, and how many bytes."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from goalloc_cli.report.units import iec

    def tick(done: int) -> None:
        sys.stderr.write(f"\r\x1b[Krecord  {iec(done)}")
        sys.stderr.flush()

    sys.stderr.write(f"\r\x1b[Krecord  for {seconds:g} s")
    sys.stderr.flush()
    try:
        yield tick
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
