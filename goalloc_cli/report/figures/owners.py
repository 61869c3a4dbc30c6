"""Who holds the memory, by name: figures of which there is one for each type, and for each function a goroutine began in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goalloc_cli.report.figures.figure import Document, Value


def by_owner(when: str, field: str) -> Callable[[Document], Mapping[str, Value]]:
    """What is held at a moment, where the document tells who."""

    def owners(document: Document) -> Mapping[str, Value]:
        # What is no owner, such as the tracer, stands among both.
        return {**summed(document, "types", "type"), **summed(document, "goroutines", "entry")}

    def summed(document: Document, section: str, name: str) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for row in document["who"][section]:
            found[row[name]] = (found.get(row[name]) or 0) + row[when][field]
        return found

    return owners
