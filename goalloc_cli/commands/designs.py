"""Several designs at once: lists of --go and --set make their cross product; a TOML file names its own."""

from __future__ import annotations

import tomllib
from itertools import product
from typing import TYPE_CHECKING, Any

import click

from goalloc_cli.commands.choose import as_usage, named_release, read_table
from goalloc_cli.commands.pace import settings

if TYPE_CHECKING:
    from goalloc_cli.sweep.wanted import Setting, Wanted

OWN, BASE, ALL = "own", "base", "all"
"""In place of a release: each trace's own; the same, but the model's own sweeper decides; and every release there is."""
MOST_DESIGNS = 4096
MOST_FILE = 1 << 20
MIB = 1 << 20
PACED = ("gogc", "memory_limit")
"""Knobs that move no collection of a recording."""
KEYS = ("go", "set", "size_classes", *PACED)


def designs_of(
    go: str | None,
    sets: tuple[str, ...],
    size_classes: str | None,
    gogc: str | None,
    limits: str | None,
    file: str | None,
) -> list[Wanted]:
    """Every design that the options name; the first is what the others are held against."""
    found = [] if file is None else from_file(file)
    if not found or go or sets or size_classes or gogc or limits:
        chosen = [None] if gogc is None and limits is None else settings(gogc, limits)
        lists = [values_of(word) for word in sets]
        made = product(versions_of(go), product(*lists), chosen)
        found = [design(version, knobs, size_classes, setting) for version, knobs, setting in made] + found
    if len(found) > MOST_DESIGNS:
        raise click.UsageError(f"these are {len(found):,} designs, of at most {MOST_DESIGNS:,}")
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise click.UsageError(f"two designs are called {twice!r}")
    return found


def design(
    version: str | None, knobs: tuple[str, ...], size_classes: str | None, setting: Setting | None, name: str = ""
) -> Wanted:
    """One design, called by what it is."""
    from goalloc_cli.sweep.wanted import Wanted
    from goalloc_cli.trace.chosen import short

    is_base = version == BASE
    version = None if version in (OWN, BASE) else version
    parts = [(BASE if is_base else OWN) if version is None else short(version), *knobs]
    parts += [] if size_classes is None else [f"size classes of {size_classes}"]
    parts += [] if setting is None else [in_words(setting)]
    classes = None if size_classes is None else read_table(size_classes)
    return Wanted(name or " + ".join(parts), version, knobs, classes, size_classes or "", setting, is_base)


def in_words(setting: Setting) -> str:
    """GOGC=50 GOMEMLIMIT=64MiB"""
    gogc, limit = setting
    words = f"GOGC={'off' if gogc < 0 else gogc}"
    if limit is None:
        return words
    return f"{words} GOMEMLIMIT={limit if limit % MIB else f'{limit // MIB}MiB'}"


def versions_of(go: str | None) -> list[str]:
    """The releases that --go lists, each once."""
    from goalloc_cli.design.releases import RELEASES

    if go is None:
        return [OWN]
    words = [each for word in go.split(",") for each in (RELEASES if word.strip() == ALL else [word.strip()])]
    for word in words:
        if word not in (OWN, BASE):
            named_release(word)
    return list(dict.fromkeys(words))


def values_of(word: str) -> list[str]:
    """The knob=value that --set knob=a,b,c lists."""
    name, equals, values = word.partition("=")
    if not equals:
        raise click.UsageError(f"--set takes KNOB=VALUE or KNOB=A,B,C, not {word!r}")
    found = list(dict.fromkeys(value.strip() for value in values.split(",")))
    if name in PACED and len(found) > 1:
        option = "--gogc" if name == "gogc" else "--memory-limit"
        raise click.UsageError(
            f"--set {word}: a replay collects where its recording did, whatever {name} says; {option} {values} predicts "
            "what each would have done"
        )
    for value in found:
        checked(name, value, "--set")
    return [f"{name}={value}" for value in found]


def checked(name: str, value: str, where: str) -> None:
    """Refuse a knob that there is not, or a value that it cannot have."""
    from goalloc_cli.design.parse import knob_problem

    if problem := knob_problem(name, value):
        raise click.UsageError(f"{where}: {problem}")


def from_file(path: str) -> list[Wanted]:
    """The designs of a TOML file: a table each, its name above it."""
    from goalloc_cli.errors import TraceError
    from goalloc_cli.host.source import read_whole

    try:
        tables = tomllib.loads(read_whole(path, MOST_FILE).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TraceError) as error:
        raise click.UsageError(f"--designs: {path}: {error}") from None
    if not tables:
        raise click.UsageError(f"--designs: {path}: names no design; it has tables such as [old] with go = \"1.12\"")
    with as_usage():
        return [from_table(f"--designs: {path}: {name}", name, table) for name, table in tables.items()]


def from_table(where: str, name: str, table: Any) -> Wanted:
    """One design of such a file."""
    if not isinstance(table, dict):
        raise click.UsageError(f"{where}: is no table; a design is a table such as [old] with go = \"1.12\" in it")
    if strange := next((key for key in table if key not in KEYS), None):
        raise click.UsageError(f"{where}: there is no key {strange!r}; there are {', '.join(KEYS)}")
    knobs = table.get("set", {})
    if not isinstance(knobs, dict):
        raise click.UsageError(f"{where}: set is a table such as {{ page_cache = 0 }}")
    for knob, value in knobs.items():
        checked(knob, as_word(value), where)
    (go,) = versions_of(str(table.get("go", OWN)))[:1]
    size_classes = table.get("size_classes")
    setting = None
    if any(key in table for key in PACED):
        gogc, limit = (None if table.get(key) is None else str(table[key]) for key in PACED)
        several = settings(gogc or "100", limit)
        if len(several) > 1:
            raise click.UsageError(f"{where}: a design has one setting of GOGC and GOMEMLIMIT")
        setting = several[0]
    words = tuple(f"{knob}={as_word(value)}" for knob, value in knobs.items())
    return design(go, words, None if size_classes is None else str(size_classes), setting, name)


def as_word(value: object) -> str:
    """A value as --set takes it."""
    return str(int(value)) if isinstance(value, bool) else str(value)
