"""The description of the file format and the code say the same."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from itertools import pairwise

import pytest

from goalloc_cli.native.codec import DESCRIPTOR_KEYS
from goalloc_cli.native.records import MAX_DATA, MAX_ENTRIES, MAX_HEAD
from goalloc_cli.trace import event
from goalloc_cli.trace.event import ALL_COLUMNS, BATCH, COLUMNS, NO_P, NOSCAN, Kind
from goalloc_cli.trace.trace import Header
from tests.kit.batches import NODE, batch, equal, read
from tests.kit.root import ROOT

PAGE = (ROOT / "docs" / "trace-format.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    below = PAGE.split(f"{heading}\n", 1)[1]
    lines = re.search(r"(\|.*\n)+", below)
    assert lines
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[0].splitlines()[2:]]


KINDS = [
    row
    for heading in (
        "### What the program did",
        "### The heap when the recording started",
        "### Hints",
        "### Witnesses",
    )
    for row in table(heading)
]


def columns_used(kind: Kind) -> set[str]:
    """The columns that the text below a kind in event.py speaks of."""
    [body] = [
        node.body
        for node in ast.parse(inspect.getsource(event)).body
        if isinstance(node, ast.ClassDef) and node.name == "Kind"
    ]
    texts = {
        name.targets[0].id: text.value.value
        for name, text in pairwise(body)
        if isinstance(name, ast.Assign) and isinstance(text, ast.Expr)
    }
    return set(re.findall(r"`(\w+)`", texts[kind.name])) & set(COLUMNS)


def test_the_table_of_kinds_has_every_kind_with_its_number():
    assert [(int(row[0]), row[1]) for row in KINDS] == [(kind.value, kind.name) for kind in Kind]


@pytest.mark.parametrize("kind", Kind)
def test_the_table_of_kinds_describes_every_column_that_the_code_speaks_of(kind):
    cells = dict(zip(["p", "id", "size", "arg", "addr"], KINDS[list(Kind).index(kind)][2:7], strict=True))
    assert columns_used(kind) <= {name for name, cell in cells.items() if cell != "-"}


def test_the_table_of_the_header_has_every_field_with_its_default():
    described = {key.strip("`"): default.strip("`") for key, _, default, _ in table("### Head of the header")}
    defaults = {field.name: getattr(Header(), field.name) for field in fields(Header) if field.name != "extra"}
    written = {True: "true", False: "false", (): "empty"}
    assert described == {
        key: written[value] if isinstance(value, bool | tuple) else str(value) or "empty" for key, value in defaults.items()
    }


def test_the_table_of_columns_has_every_column_with_its_largest_value():
    bits = {"<u1": 8, "<u2": 16, "<u4": 32, "<i8": 63}
    described = [(name.strip("`"), most) for name, most, _ in table("## Columns")]
    assert described == [(name, f"2^{bits[dtype]} - 1") for name, dtype in ALL_COLUMNS.items()]


def test_the_page_names_every_key_of_a_descriptor_and_every_limit():
    assert all(f'"{key}":' in PAGE for key in DESCRIPTOR_KEYS)
    assert all(f"{limit:,}" in PAGE for limit in (MAX_HEAD, MAX_DATA, MAX_ENTRIES, BATCH, NO_P))


def test_the_hexdump_decodes_to_what_the_page_says():
    lines = re.findall(r"^[0-9a-f]{8}  ([0-9a-f ]{47,48})  \|", PAGE, re.MULTILINE)
    header, [only] = read(bytes.fromhex("".join(lines)))
    story = batch(
        [
            (Kind.ALLOC, 0, 0, 24, 1, 0),
            (Kind.ALLOC | NOSCAN, 0, 1, 100, 0, 0),
            (Kind.ALLOC, 1, 2, 24, 1, 0),
            (Kind.FREE, NO_P, 0, 0, 0, 0),
            (Kind.FREE, NO_P, 2, 0, 0, 0),
            (Kind.CHECKPOINT, 0, 0, 0, 1, 0),
        ],
        types=[NODE],
        names=["done"],
        addr=False,
    )
    assert header == Header(gomaxprocs=2)
    assert equal(only, story)
