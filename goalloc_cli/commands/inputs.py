"""Whatever an input holds, as a document: what a baseline and the sides of a comparison are given as."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from goalloc_cli.commands.printed import gctrace, memstats
from goalloc_cli.commands.several import BY_LINE, Job, replayed

Document = dict[str, Any]


def document_of(path: str, quiet: bool, follow: bool = False) -> Document:
    """The document of one input: a saved one as it is, a text read, a trace replayed, and who allocates followed."""
    found = read_or_job(path)
    if not isinstance(found, Job):
        return found
    from goalloc_cli.host.progress import progress_line

    with progress_line("replay", None, quiet) as tick:
        document = replayed(replace(found, who=BY_LINE) if follow else found, tick or (lambda _: None))
    assert document is not None
    return document


def read_or_job(path: str) -> Document | Job:
    """The document of what need not be replayed; else the job that replays a trace as it is."""
    from goalloc_cli.host.source import open_source
    from goalloc_cli.importers.sniff import printed
    from goalloc_cli.report.documents.saved import read_saved

    source = open_source(path)
    saved = read_saved(source)
    if saved is not None:
        return saved
    text = printed(source)
    if text is not None:
        return memstats([text]) if text.kind == "memstats" else gctrace(text.source)
    source.close()
    if path == "-":
        raise click.UsageError("a trace on the standard input can be read only once: write it to a file first")
    return Job(path)
