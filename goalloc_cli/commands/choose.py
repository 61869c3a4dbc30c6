"""Which allocator: by release, by single knobs, by a size-class table of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goalloc_cli.commands.words import FILE, complete_knobs, complete_releases
from goalloc_cli.errors import DesignError

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
    from goalloc_cli.trace.chosen import chosen

    classes = None if size_classes is None else read_table(size_classes)
    with as_usage():
        return chosen(header, go_version, knobs, classes, size_classes or "")


def named_design(go_version: str | None, knobs: tuple[str, ...], size_classes: str | None) -> tuple[Design, str]:
    """A design without a trace, and its name; without a release the newest."""
    from goalloc_cli.design.releases import RELEASES
    from goalloc_cli.trace.chosen import changed

    version = go_version or list(RELEASES)[-1]
    classes = None if size_classes is None else read_table(size_classes)
    with as_usage():
        return changed(named_release(version), version, knobs, classes, size_classes or "")


def named_release(go_version: str) -> Design:
    """The design of a release that the user named."""
    from goalloc_cli.trace import chosen

    with as_usage():
        return chosen.named_release(go_version)


@contextmanager
def as_usage() -> Iterator[None]:
    """What is wrong with a design is wrong with the options that name it."""
    try:
        yield
    except DesignError as error:
        raise click.UsageError(str(error)) from None


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
