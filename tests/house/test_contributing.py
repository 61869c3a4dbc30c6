"""CONTRIBUTING.md tells of every test file, and of none that is not there."""

from __future__ import annotations

import re

from tests.kit.root import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_table_of_tests_has_every_file() -> None:
    table = TEXT[TEXT.index("| tests | what they hold") :].split("\n\n")[0]
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(test_\w+)`", table)) == files


def test_files_that_it_names_are_there() -> None:
    folders = "tests|fuzz|mutation|benchmarks|docs|analyses|importers|model|report|design|trace"
    named = set(re.findall(rf"`((?:{folders})/[\w/]+\.(?:py|md))`", TEXT))
    assert {name for name in named if not (ROOT / name).exists() and not (ROOT / "goalloc_cli" / name).exists()} == set()
