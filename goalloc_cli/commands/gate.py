"""--fail-on and --baseline: holds what a command found out to limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goalloc_cli.commands.show import say
from goalloc_cli.commands.words import FILE, Completer
from goalloc_cli.errors import CROSSED, FINE

if TYPE_CHECKING:
    from goalloc_cli.report.gate.rules import Rule

F = TypeVar("F", bound=Callable[..., Any])
Document = dict[str, Any]


LIMIT = "End with exit code 5 where it is crossed: 'HeapInuse>+5%', 'free_slots>+1MiB', 'HeapSys>64MiB'. Repeatable."


def fail_on_option(told: str = LIMIT, complete: Completer | None = None) -> Callable[[F], F]:
    """The limits alone, where there is no baseline, or two sides are one."""
    return click.option("--fail-on", "rules", metavar="LIMIT", multiple=True, help=told, shell_complete=complete)


def gate_options(command: F) -> F:
    """Limits, and what a change is a change of."""
    baseline = click.option(
        "--baseline", metavar="FILE", type=FILE, help="What +5% is held against: a saved replay, or another input."
    )
    return fail_on_option()(baseline(command))


class Gate:
    """The limits of one run of a command."""

    def __init__(self, command: str, rules: Sequence[str], baseline: str | None, quiet: bool) -> None:
        """`rules` as they were given; raise RuleError at one that says nothing.

        Args:
            command: whose they are, for the log.
            rules: the limits.
            baseline: the file that holds what changes are changes of, if there is one.
            quiet: tell of limits that are crossed alone.
        """
        self.command = command
        self.rules: list[Rule] = []
        self.quiet = quiet
        self.began = time.monotonic()
        self.verdicts: list[Document] = []
        if baseline is not None and not rules:
            raise click.UsageError("--baseline is what --fail-on holds changes against: give a --fail-on too")
        self.baseline = baseline
        self.before: Document | None = None
        if rules:
            from goalloc_cli.report.gate.rules import read_rule

            self.rules = [read_rule(rule) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self.rules)

    def check(self, schema: str) -> None:
        """Refuse rules that say nothing of such documents, before the work begins."""
        if self.rules:
            from goalloc_cli.report.gate.judge import limits

            limits(self.rules, schema, self.baseline is not None)

    def follows(self, schema: str = "goalloc replay") -> bool:
        """Whether a limit is about who holds the memory: then a replay has to follow that."""
        if not self.rules:
            return False
        from goalloc_cli.report.gate.judge import asked

        return bool(asked(self.rules, schema))

    def load(self) -> None:
        """Read the baseline: what a replay is held against."""
        if self.baseline is not None:
            from goalloc_cli.commands.inputs import document_of

            self.before = document_of(self.baseline, self.quiet, self.follows())

    def judge(self, document: Document) -> Document:
        """The document with its verdicts in it, which are told on the standard error when the command ends."""
        before = self.before
        if not self.rules:
            return document
        from goalloc_cli.report.gate.judge import judged, limits

        if before is not None and before["schema"] != document["schema"]:
            raise click.UsageError(f"--baseline holds {before['schema']!r}, and this is {document['schema']!r}")
        bounds = limits(self.rules, document["schema"], before is not None)
        verdicts = judged(bounds, [document], [] if before is None else [before])
        self.verdicts += verdicts
        return {**document, "gate": verdicts}

    def compare(self, document: Document, now: Sequence[Document], before: Sequence[Document]) -> Document:
        """The same of two sides, whose comparison is the document."""
        if not self.rules:
            return document
        from goalloc_cli.report.gate.judge import judged, limits, refuse_unfit

        bounds = limits(self.rules, now[0]["schema"], True)
        refuse_unfit(bounds, document["figures"])
        self.verdicts += judged(bounds, now, before)
        return {**document, "gate": self.verdicts}

    def end(self) -> int:
        """Tell how it went; return the exit code."""
        if not self.verdicts:
            return FINE
        from goalloc_cli.report.tables.comparison.gate import line, summary

        for verdict in self.verdicts:
            if verdict["crossed"] or not self.quiet:
                say(f"{self.command}: {line(verdict)}")
        if not self.quiet:
            say(summary(self.command, self.verdicts, time.monotonic() - self.began))
        return CROSSED if any(verdict["crossed"] for verdict in self.verdicts) else FINE
