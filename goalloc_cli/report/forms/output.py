"""A document in the format that was asked for."""

from __future__ import annotations

import json
from typing import Any

from goalloc_cli.report.documents.saved import CHECK, sealed
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import to_csv, to_csv_of, to_markdown, to_text
from goalloc_cli.report.reports import blocks, of_releases, part_of
from goalloc_cli.report.tables.blocks import Table

Document = dict[str, Any]


def encoded(document: Document, names: tuple[str, ...], form: str) -> bytes:
    """The reports `names` of a document, as a file of format `form` holds them.

    Without names, formats for people hold the answer that fits a screen, and formats for machines everything.
    A document saved as msgpack is always whole, so that any of its reports can be shown later.
    """
    if form == "msgpack":
        return packed(document)
    if form == "json":
        return f"{json.dumps(part_of(document, names), indent=2)}\n".encode()
    if form == "html":
        from goalloc_cli.report.forms.html.page import page

        text = page(document, names)
    elif form == "csv" and "reports" in document:
        each = of_releases(document, names)
        text = to_csv_of([("", blocks(document, ())), *each], "release")
    elif form == "csv":
        text = to_csv(blocks(document, names or ("all",)))
    elif form == "markdown":
        text = to_markdown(blocks(document, names))
    else:
        text = to_text(blocks(document, names), Paper())
    return text.encode("utf-8", "backslashreplace")


def encoded_all(documents: list[Document], names: tuple[str, ...], form: str) -> bytes:
    """Several documents in one file: a line each in JSON, one table in CSV, one after the other for people."""
    if len(documents) == 1:
        return encoded(documents[0], names, form)
    if form == "json":
        return "".join(f"{json.dumps(part_of(document, names))}\n" for document in documents).encode()
    if form == "csv":
        sections = [(document["trace"]["name"], blocks(document, names or ("all",))) for document in documents]
        return to_csv_of(sections).encode("utf-8", "backslashreplace")
    return b"\n".join(encoded(document, names, form) for document in documents)


def encoded_table(table: Table, form: str) -> bytes:
    """One table by itself, as a file of format `form` holds it."""
    if form == "json":
        keys = [column.key for column in table.columns]
        return f"{json.dumps({table.name: [dict(zip(keys, row, strict=True)) for row in table.rows]}, indent=2)}\n".encode()
    render = {"csv": to_csv, "markdown": to_markdown}.get(form)
    return (render([table]) if render else to_text([table], Paper())).encode()


def packed(document: Document) -> bytes:
    """The document behind a first field that tells what the file is, as in a trace; the last one is a checksum."""
    import msgpack  # type: ignore[import-untyped]

    data: bytes = msgpack.packb({"format": document["schema"], **document, "check": CHECK}, unicode_errors="surrogatepass")
    return sealed(data)
