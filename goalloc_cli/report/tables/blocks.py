"""A table as data: what every report is made of, and every output format is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goalloc_cli.report.pictures.layers import Layer

Cell = str | int | float | bool | None
"""None where there is nothing to say: "-" for people, an empty field for machines."""


@dataclass(frozen=True)
class Column:
    """One column. Its cells are raw values; `unit` says how people read them."""

    key: str
    """For machines: lower case, the unit in the name."""
    title: str
    """For people."""
    unit: str = "count"
    """"text", "count", "bytes", "share" (0..1), "ns", "address", "bar" (a share, drawn on a terminal alone),
    "machine" (in CSV alone), "people" (a text, not in CSV) or "by unit" (the row's machine cell names it)."""
    rank: int = 0
    """0 is always shown; of the others the highest go first where the width does not suffice."""
    names: bool = False
    """Its cells are names of a program's: they may be shortened. A label of ours never is, if the width allows at all."""


@dataclass(frozen=True)
class Table:
    """Rows under columns, and a sentence or two about them."""

    name: str
    """For machines: what CSV puts in its first field."""
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    total: bool = False
    """The last row is the sum of the others."""


@dataclass(frozen=True)
class Chart:
    """A figure over time: drawn on a terminal, one line; left out of all other formats."""

    title: str
    values: Sequence[int | float]
    unit: str = "bytes"


@dataclass(frozen=True)
class Bars:
    """Sums of the same layers, a bar each: drawn on a terminal, left out of all other formats; so are those that follow."""

    title: str
    layers: Sequence[Layer]
    rows: Sequence[tuple[str, Sequence[int], str]]
    """What a bar is called, the size of each layer, and what stands behind it."""


@dataclass(frozen=True)
class Areas:
    """Layers one on the other, over what moments are laid out by."""

    title: str
    layers: Sequence[Layer]
    at: Sequence[float]
    """Where each sample lies, from 0 to 1."""
    sizes: Sequence[Sequence[int]]
    """Of each layer, at each sample."""
    marks: Sequence[float] = ()
    """Where marks are set below."""
    marked: str = ""
    """What they are."""


@dataclass(frozen=True)
class Cells:
    """A map: what lies in each cell, row by row."""

    title: str
    keys: Sequence[Layer]
    cells: Sequence[int]
    """An index into `keys` for each."""
    cell_bytes: int


@dataclass(frozen=True)
class Points:
    """Settings by what they cost."""

    title: str
    x_title: str
    y_title: str
    points: Sequence[tuple[float, float, str, bool]]
    """Bytes, work, a name, and whether no other point beats it in both."""


@dataclass(frozen=True)
class Text:
    """A paragraph for people; the first line may be a headline."""

    text: str
    style: str = ""
    """"headline", "verdict", "note" or plain."""


Drawing = Bars | Areas | Cells | Points
Block = Table | Chart | Drawing | Text


def text(key: str, title: str, rank: int = 0) -> Column:
    return Column(key, title, "text", rank)


def called(key: str, title: str, rank: int = 0) -> Column:
    """Names of types, functions, checkpoints: of any length."""
    return Column(key, title, "text", rank, names=True)


def count(key: str, title: str, rank: int = 0) -> Column:
    return Column(key, title, "count", rank)


def size(key: str, title: str, rank: int = 0) -> Column:
    return Column(key, title, "bytes", rank)


def share(key: str, title: str, rank: int = 0) -> Column:
    return Column(key, title, "share", rank)
