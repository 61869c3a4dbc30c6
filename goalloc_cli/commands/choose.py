"""Which allocator: by release, by single knobs, by a size-class table of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goalloc_cli.commands.words import FILE, complete_knobs, complete_releases

if TYPE_CHECKING:
    from goalloc_cli.design.allocator import Design
    from goalloc_cli.trace.trace import Header

F = TypeVar("F", bound=Callable[..., Any])

MOST_TABLE = 1 << 20
"""Bytes of a table of size classes."""
NUMBER = re.compile(r"\d{1,12}", re.ASCII)


def design_options(command: F) -> F:
    """How a command is told which allocator to take."""
    for option in (
        click.option(
            "--size-classes", metavar="FILE", type=FILE, help="Take the size classes from FILE, a line each: bytes, pages."
        ),
        click.option(
            "--set",
            "knobs",
            metavar="KNOB=VALUE",
            multiple=True,
            shell_complete=complete_knobs,
            help="Change one knob of it. Repeatable.",
        ),
        click.option(
            "--go",
            "go_version",
            metavar="VERSION",
            shell_complete=complete_releases,
            help="Use the allocator of this Go release.",
        ),
    ):
        command = option(command)
    return command


def choose_design(
    header: Header, go_version: str | None, knobs: tuple[str, ...], size_classes: str | None = None
) -> tuple[Design, str, bool]:
    """The design to replay, its name, and whether what the recording tells beside its events fits it."""
    from goalloc_cli.design.parse import with_knob
    from goalloc_cli.design.releases import release
    from goalloc_cli.errors import DesignError

    if go_version is None:
        try:
            base = release(header.go_version)
        except DesignError as error:
            raise click.UsageError(f"the trace was made by Go {header.go_version}: {error}; choose with --go") from None
        own = True
    else:
        base = named_release(go_version)
        try:
            own = base == release(header.go_version)
        except DesignError:
            own = False
    # Knobs of the recorded program's own hold under every release: it set GOGC.
    for knob, value in header.knobs:
        try:
            base = with_knob(base, knob, str(value))
        except DesignError as error:
            raise click.UsageError(f"the trace was recorded with {knob}={value}, but {error}") from None
    design, name = changed(base, go_version or header.go_version, knobs, size_classes)
    return design, name, own and design == base


def named_design(go_version: str | None, knobs: tuple[str, ...], size_classes: str | None) -> tuple[Design, str]:
    """A design without a trace, and its name; without a release the newest."""
    from goalloc_cli.design.releases import RELEASES

    version = go_version or list(RELEASES)[-1]
    return changed(named_release(version), version, knobs, size_classes)


def named_release(go_version: str) -> Design:
    """The design of a release that the user named."""
    from goalloc_cli.design.releases import release
    from goalloc_cli.errors import DesignError

    try:
        return release(go_version)
    except DesignError as error:
        raise click.UsageError(f"--go: {error}") from None


def changed(design: Design, version: str, knobs: tuple[str, ...], size_classes: str | None) -> tuple[Design, str]:
    """The design with knobs set and its size classes replaced, and its name."""
    from goalloc_cli.design.parse import with_knob
    from goalloc_cli.design.sizeclass import size_classes as check_table
    from goalloc_cli.errors import DesignError

    for knob in knobs:
        name, equals, value = knob.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes KNOB=VALUE, not {knob!r}")
        try:
            design = with_knob(design, name, value)
        except DesignError as error:
            raise click.UsageError(f"--set: {error}") from None
    parts = [f"go{'.'.join(version.removeprefix('go').split('.')[:2])}", *knobs]
    if size_classes is not None:
        design = replace(design, size_classes=read_table(size_classes))
        parts.append(f"size classes of {size_classes}")
    try:
        check_table(design)
    except DesignError as error:
        raise click.UsageError(str(error)) from None
    return design, " + ".join(parts)


def read_table(path: str) -> tuple[tuple[int, int], ...]:
    """The size classes in a file: on each line the bytes and the pages of one, smallest first; # starts a comment."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.host.source import read_whole

    try:
        text = read_whole(path, MOST_TABLE).decode("utf-8", "replace")
    except TraceError as error:
        raise click.UsageError(f"--size-classes: {error}") from None
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        if len(words) != 2 or not all(NUMBER.fullmatch(word) for word in words):
            said = f"line {number}: {brief(line)} is not a size and a number of pages"
            raise click.UsageError(f"--size-classes: {path}: {said}")
        rows.append((int(words[0]), int(words[1])))
    return tuple(rows)
