"""Pages, made from traces as the command line makes them, and what stands in them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from goalloc_cli.commands.several import Job, replayed
from goalloc_cli.report.forms.html.page import page
from tests.kit.root import ROOT

Document = dict[str, Any]
ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")


def document_of(path: str | Path) -> Document:
    """The document of a replay with what its page shows, made in this process."""
    job = Job(str(path), pictures=True)
    found = replayed(job, lambda _: None)
    assert found is not None
    return found


def page_of(path: str | Path) -> str:
    return page(document_of(path))


class Elements(HTMLParser):
    """Every element of a page: its name and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def scripts(text: str) -> list[str]:
    """The contents of all scripts."""
    return re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)


def data(text: str) -> Document:
    """The block of JSON."""
    found: Document = json.loads(scripts(text)[0])
    return found
