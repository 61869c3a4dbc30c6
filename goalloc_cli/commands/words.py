"""Words that users type: what a shell completes, and what was meant by one that is nearly right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

FILE = click.Path(allow_dash=True)
"""A file, for the shell: whether it is there is found out when it is opened."""


def meant(word: str, known: Iterable[str]) -> str:
    """; did you mean 'spans'? Nothing where no known word is near."""
    near = get_close_matches(word.lower(), list(known), 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class Near(click.Choice[str]):
    """A choice that says what was meant by a word that is nearly one of it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            told = error.message.rstrip(".") + meant(str(value), self.choices)
            raise click.BadParameter(told, ctx, param) from None


def one_of(known: Callable[[], Iterable[str]]) -> Completer:
    """Complete one of these words."""

    def complete(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in known() if word.startswith(begun)]

    return complete


def releases() -> list[str]:
    from goalloc_cli.design.releases import RELEASES

    return list(RELEASES)


def complete_releases(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """One release, or several behind commas."""
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{word}") for word in releases() if word.startswith(last)]


def complete_knobs(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """A knob and its =; behind that the words that it takes, where it takes words."""
    from goalloc_cli.design.allocator import KNOBS

    name, equals, value = begun.partition("=")
    if not equals:
        return [CompletionItem(f"{field.name}=") for field in KNOBS if field.name.startswith(name)]
    choices: Any = next((field.metadata.get("choices") for field in KNOBS if field.name == name), None) or ()
    words = [member.name.lower() for member in choices]
    return [CompletionItem(f"{name}={word}") for word in words if word.startswith(value)]


def complete_rows(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """A row of verify, as --fail-on takes it."""
    from goalloc_cli.report.tables.verdict import MEANING

    rows = [row.replace("_", "-") for row in MEANING]
    return [CompletionItem(f"{row}<") for row in rows if row.startswith(begun)]
