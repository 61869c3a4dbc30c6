"""Which allocator a trace is replayed under: of its own release or another, with knobs set, with other size classes."""

from __future__ import annotations

from dataclasses import replace

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.parse import with_knob
from goalloc_cli.design.releases import release
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.errors import DesignError
from goalloc_cli.trace.trace import Header

Classes = tuple[tuple[int, int], ...]
"""Size classes as (bytes, pages), smallest first."""


def chosen(
    header: Header, go_version: str | None, knobs: tuple[str, ...], classes: Classes | None = None, called: str = ""
) -> tuple[Design, str, bool]:
    """The design to replay, its name, and whether what the recording tells beside its events fits it.

    Args:
        header: of the trace.
        go_version: the release; None for the trace's own.
        knobs: KNOB=VALUE each, as `--set` takes them.
        classes: size classes in place of the release's.
        called: what they are called, such as the file that they are from.

    Raises:
        DesignError: there is no such release or knob, or the design contradicts itself; told as of the option that says so.
    """
    base = base_of(header, go_version)
    try:
        own = base == release(header.go_version)
    except DesignError:
        own = False
    # Knobs of the recorded program's own hold under every release: it set GOGC.
    for knob, value in header.knobs:
        try:
            base = with_knob(base, knob, str(value))
        except DesignError as error:
            raise DesignError(f"the trace was recorded with {knob}={value}, but {error}") from None
    design, name = changed(base, go_version or header.go_version, knobs, classes, called)
    return design, name, own and design == base


def base_of(header: Header, go_version: str | None) -> Design:
    """The design of a release, or of the trace's own for None."""
    if go_version is not None:
        return named_release(go_version)
    try:
        return release(header.go_version)
    except DesignError as error:
        raise DesignError(f"the trace was made by Go {header.go_version}: {error}; choose with --go") from None


def named_release(go_version: str) -> Design:
    """The design of a release that the user named."""
    try:
        return release(go_version)
    except DesignError as error:
        raise DesignError(f"--go: {error}") from None


def changed(
    design: Design, version: str, knobs: tuple[str, ...], classes: Classes | None = None, called: str = ""
) -> tuple[Design, str]:
    """The design with knobs set and its size classes replaced, and its name."""
    for knob in knobs:
        name, equals, value = knob.partition("=")
        if not equals:
            raise DesignError(f"--set takes KNOB=VALUE, not {knob!r}")
        try:
            design = with_knob(design, name, value)
        except DesignError as error:
            raise DesignError(f"--set: {error}") from None
    parts = [short(version), *knobs]
    if classes is not None:
        design = replace(design, size_classes=classes)
        parts.append(f"size classes of {called}")
    size_classes(design)
    return design, " + ".join(parts)


def short(version: str) -> str:
    """A release as reports call it: go1.27."""
    return f"go{'.'.join(version.removeprefix('go').split('.')[:2])}"
