"""The two sides of `goalloc compare`: what is in front of --to, and what is behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.inputs import read_or_job
from goalloc_cli.commands.several import Job, versions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

TO = "--to"
OF_A_SIDE = {"--go": "--to-go", "--set": "--to-set", "--size-classes": "--to-size-classes"}
"""Options that belong to the side that they stand on, and what those behind --to are called within."""


class TwoSided(click.Command):
    """A command whose arguments may stand on two sides of a word --to."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.one_sided(args))

    def one_sided(self, args: list[str]) -> list[str]:
        """The same arguments with each of the second side named as such: B1 B2 is --to B1 --to B2."""
        args = [word for arg in args for word in ((TO, arg[len(TO) + 1 :]) if arg.startswith(f"{TO}=") else (arg,))]
        if TO not in args:
            return args
        at = args.index(TO)
        found, rest = [*args[:at], "--two-sided"], args[at + 1 :]
        takes_value = {name for option in self.params if isinstance(option, click.Option) and not option.is_flag
                       for name in option.opts}  # fmt: skip
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if word == TO:
                raise click.UsageError("--to stands once, between the two sides")
            if name in takes_value and (equals or rest):
                value = value if equals else rest.pop(0)
                found += [OF_A_SIDE.get(name, name), value]
            elif word.startswith("-") and word != "-":
                found.append(word)
            else:
                found += [TO, word]
        return found


@dataclass(frozen=True)
class Asked:
    """One side as it was asked for."""

    inputs: tuple[str, ...]
    go_version: str | None = None
    knobs: tuple[str, ...] = ()
    size_classes: str | None = None

    @property
    def is_what_if(self) -> bool:
        return bool(self.go_version or self.knobs or self.size_classes)

    @property
    def label(self) -> str:
        """What it was asked for beside inputs."""
        words = [f"go{self.go_version.removeprefix('go')}"] if self.go_version else []
        words += self.knobs
        words += [f"size classes of {self.size_classes}"] if self.size_classes else []
        return " + ".join(words)


def sides(a: Asked, b: Asked, two_sided: bool) -> tuple[Asked, Asked]:
    """The two sides that are meant: two inputs, two releases of one input, or what --to parts."""
    if two_sided:
        if not a.inputs:
            raise click.UsageError("name at least one input in front of --to")
        if not b.inputs and not b.is_what_if:
            raise click.UsageError("nothing stands behind --to: name inputs there, or --go or --set for those in front")
        versions = (*versions_of(a.go_version), *versions_of(b.go_version))
        if len(versions) > 2:
            raise click.UsageError("--to parts two sides, and each takes one release")
        found = a, replace(b, inputs=b.inputs or a.inputs)
    else:
        versions = tuple(versions_of(a.go_version))
        if len(versions) > 2:
            raise click.UsageError("two releases are compared; goalloc replay --go lays more side by side")
        if len(versions) == 2:
            found = replace(a, go_version=versions[0]), replace(a, go_version=versions[1])
        elif len(a.inputs) == 2:
            found = replace(a, inputs=a.inputs[:1]), replace(a, inputs=a.inputs[1:])
        elif len(a.inputs) == 1 and a.is_what_if:
            found = Asked(a.inputs), a
        else:
            raise click.UsageError(
                "name two inputs A B, several on both sides of --to, or one and releases (--go 1.24,1.27) or knobs (--set)"
            )
    if found[0] == found[1] and len(found[0].inputs) > 1:
        raise click.UsageError("both sides are the same")
    return found


def opened(a: Asked, b: Asked) -> tuple[list[Document | Job], list[Document | Job]]:
    """What is in the inputs of both sides; of traces, the jobs that replay them, all alike in who sweeps."""
    from goalloc_cli.report.figures.ranks import MOST

    own = a.is_what_if or b.is_what_if
    found = []
    for asked in (a, b):
        if len(asked.inputs) > MOST:
            raise click.UsageError(f"these are {len(asked.inputs)} recordings of a side, of at most {MOST}")
        found.append([under(read_or_job(path), asked, path, own) for path in asked.inputs])
    return found[0], found[1]


def under(found: Document | Job, asked: Asked, path: str, own: bool) -> Document | Job:
    """A job under the allocator that a side asks for; refuse that of what cannot be replayed."""
    if isinstance(found, Job):
        return replace(found, go_version=asked.go_version, knobs=asked.knobs, size_classes=asked.size_classes, own=own)
    if asked.is_what_if:
        raise click.UsageError(f"--go, --set and --size-classes need a trace to replay, which {path} is not")
    return found


def filled(side: Sequence[Document | Job], replays: list[Document]) -> list[Document]:
    """The documents of a side; those of its jobs are taken from `replays`, in order."""
    return [replays.pop(0) if isinstance(each, Job) else each for each in side]
