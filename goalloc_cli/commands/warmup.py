"""goalloc warmup"""

from __future__ import annotations

from importlib import resources

import click

from goalloc_cli.commands.options import hushed
from goalloc_cli.commands.show import say
from goalloc_cli.compiled.compiling import compiling

RECORDING = "warmup.trace.zst"
"""A short run of `traces/programs/lru` with Go 1.27 and two Ps, as `record.sh OUT lru 2 1` makes it."""

STEPS = (
    "import {recording} -o {folder}/trace -q",
    "verify {recording} -o {folder}/verdict -q",
    "check {folder}/trace -o {folder}/bad -q",
    "replay {folder}/trace --check -o {folder}/replay -q",
    "replay {folder}/trace --lenient --go 1.12 -o {folder}/replay-1.12 -q",
    "pace {folder}/trace --gogc 100 -o {folder}/pace -q",
    "stats {folder}/trace -o {folder}/stats -q",
    "export {folder}/trace --to csv -o {folder}/csv -q",
    "import {folder}/csv -o {folder}/again -q",
    "synth generational --events 1000 -o {folder}/synth -q",
)
"""Commands that use every part of goalloc that is compiled."""


@click.command(short_help="Compile everything now, so that later runs start at once.")
@click.option("-q", "--quiet", is_flag=True, callback=hushed, help="No word on the standard error.")
@click.pass_context
def warmup(ctx: click.Context, quiet: bool) -> None:
    """Compile everything now, so that later runs start at once: for images and CI.

    What is compiled is kept in the cache folder of the user, or where GOALLOC_CACHE says.
    """
    from goalloc_cli.host.sink import temporary_folder

    goalloc = ctx.find_root()
    assert isinstance(goalloc.command, click.Group)
    with resources.as_file(resources.files("goalloc_cli") / RECORDING) as recording, temporary_folder() as folder:
        for step in STEPS:
            name, *words = (word.format(recording=recording, folder=folder) for word in step.split())
            command = goalloc.command.get_command(ctx, name)
            assert command is not None
            with command.make_context(name, words, parent=goalloc) as each:
                compiling.quiet = quiet  # their notes are left out, not what is compiled for them
                command.invoke(each)
    if not quiet:
        from goalloc_cli.compiled.keeping import cache_root

        where = "for this run only" if compiling.unkept else f"in {cache_root()}"
        say(f"everything is compiled, {where}")
