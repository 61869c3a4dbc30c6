"""A document as a page: one file that asks nothing of any network and runs no code but its own.

Every text is escaped by jinja2 unless it is ours; data stand in a block of JSON that no text in it can end. A content
security policy with the hashes of our script and style forbids all else: a script that got in nevertheless would not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from goalloc_cli.report.forms.html import classes, mapped, others, overtime, sides, where
from goalloc_cli.report.forms.html.alltables import shown_table, tables_of
from goalloc_cli.report.pictures.layers import LAYERS
from goalloc_cli.report.pictures.series import REASONS, columns_of
from goalloc_cli.report.reports import REPLAY, blocks, shown
from goalloc_cli.report.tables.blocks import Table, Text
from goalloc_cli.report.units import clean

Document = dict[str, Any]

HERE = Path(__file__).parent
TEMPLATE = "page.html.j2"
WHO = "who"
"""The report of who pins, where there is one: its tables stand in a section of their own."""


def page(document: Document, names: tuple[str, ...] = ()) -> str:
    """The page of a document, and in it the tables of these reports; of none, of all.

    Raises:
        ValueError: a document that goalloc did not write so.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    parts = blocks(document, names or ("all",))
    tables = tables_of([block for block in parts if isinstance(block, Table)])
    about = heading(document, [block for block in parts if isinstance(block, Text)])
    style, script = (HERE / "page.css").read_text(), (HERE / "page.js").read_text()
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(TEMPLATE).render(
        **about,
        **sections(document),
        tables=tables,
        version=str(document["goalloc_version"]),
        style=Markup(style),
        script=Markup(script),
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
        data=Markup(inside_html(data(document))),
    )


def heading(document: Document, texts: list[Text]) -> Document:
    """What the page is about: the first line, the verdict, and what else is told."""
    told: dict[str, list[str]] = {"headline": [], "verdict": [], "note": []}
    for block in texts:
        told.setdefault(block.style, []).append(clean(block.text))
    headline = told["headline"][0] if told["headline"] else document["schema"]
    path = clean(str(document["trace"]["name"] if "trace" in document else headline))
    # Where the trace lay is nobody's business, and the same trace gives the same page.
    name = path.split("/")[-1]
    headline = headline.replace(path, name, 1)
    if document["schema"] == "goalloc comparison":
        name = headline = clean(sides.both(document))
    notes = told["note"]
    mode = notes.pop(0) if document["schema"] == "goalloc replay" and notes else ""
    return {
        "name": name,
        "headline": headline,
        "verdict": " ".join(told["verdict"]) or headline,
        "mode": mode,
        "notes": notes,
    }


def sections(document: Document) -> Document:
    """The pictures; None for each that a document has not."""
    is_replay = document["schema"] == "goalloc replay"
    if not is_replay:
        empty = dict.fromkeys(("where", "overtime", "map", "classes", "spans", "what_if", "lifetimes", "who"))
        compared = others.releases(document) if document["schema"] == "goalloc compare" else None
        return {**empty, "releases": compared, "pace": others.pace(document), "sides": sides.sides(document)}
    who = shown(REPLAY[WHO], document) if WHO in REPLAY and document.get(WHO) else []
    return {
        "sides": None,
        "where": where.where(document),
        "overtime": overtime.overtime(document),
        "map": mapped.mapped(document),
        "classes": classes.classes(document),
        "spans": classes.spans(document),
        "who": [shown_table(block) for block in who if isinstance(block, Table)] or None,
        "what_if": others.what_if(document),
        "releases": others.releases(document["releases"]) if "releases" in document else None,
        "lifetimes": others.lifetimes(document),
        "pace": others.pace(document),
    }


def data(document: Document) -> Document:
    """What the script needs: the samples by column, each told by its difference to the one before, and the map."""
    if document["schema"] != "goalloc replay":
        return {}
    found = overtime.overtime(document)
    if found is None:
        return {"map": mapped.data(document)}
    columns = columns_of(document)
    return {
        "columns": {name: differences(values) for name, values in sorted(columns.items())},
        "layers": [[layer.key, list(layer.columns)] for layer in LAYERS],
        "top": found["top"],
        "axes": [axis["name"] for axis in found["axes"]],
        "peak": int(document["summary"]["peak"]["event"]),
        "ends": overtime.ends(columns),
        "reasons": [reason.replace("_", " ") for reason in REASONS],
        "cycles": int(document["summary"]["gc_cycles"]),
        "map": mapped.data(document),
    }


def differences(values: list[int]) -> list[int]:
    """The first value, then what each adds to the one before."""
    return [int(value) - int(before) for value, before in zip(values, [0, *values[:-1]], strict=True)]


def inside_html(value: Any) -> str:
    """JSON that nothing in it can lead out of an element `script`."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def policy_hash(text: str) -> str:
    """What a content security policy calls a script or a style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
