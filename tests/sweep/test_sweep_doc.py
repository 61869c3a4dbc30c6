"""docs/sweep.md: its commands run, and its queries are answered by DuckDB; polars and pandas read the same files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.sweep import cluster as clusters
from goalloc_cli.sweep import inputs
from goalloc_cli.sweep.columns import RESULTS
from goalloc_cli.sweep.inputs import Input
from tests.kit.root import ROOT
from tests.kit.sweeps import here

if not os.environ.get("GOALLOC_NEEDS_SWEEP"):
    pytest.importorskip("pyarrow", reason="needs the extra sweep: pip install -e '.[sweep-test]'")
    pytest.importorskip("duckdb", reason="needs the extra sweep: pip install -e '.[sweep-test]'")

PAGE = (ROOT / "docs" / "sweep.md").read_text()
FEW = 4
"""The smallest samples, in place of all."""


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def smallest(words: tuple[str, ...]) -> list[Input]:
    return sorted(LISTED(words), key=lambda trace: trace.size or 0)[:FEW]


LISTED = inputs.listed
COMMANDS = [line for block in fenced("sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the commands of the page have run, each in this process, on few traces."""
    folder = tmp_path_factory.mktemp("doc")
    (folder / "traces").symlink_to(ROOT / "traces")
    (folder / "bad.msgpack").write_text("nothing that anyone would know, though it is long enough")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(clusters, "cluster", here())
        patch.setattr(inputs, "listed", smallest)
        for command in COMMANDS:
            assert cli.run([*shlex.split(command)[1:], "-q"]) == 0, command
        assert cli.run(["sweep", "bad.msgpack", "-o", "results", "-q"]) == 3
        yield folder


@pytest.mark.parametrize("query", fenced("sql"), ids=lambda query: " ".join(query.split()[:4]))
def test_duckdb_answers_every_query(query: str, swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(swept)
    found: list[Any] = duckdb.sql(query).fetchall()
    assert found


@pytest.mark.parametrize("reader", ["polars", "pandas"])
def test_others_read_the_same(reader: str, swept: Path) -> None:
    found = pytest.importorskip(reader).read_parquet(swept / "results" / "results.parquet")
    assert list(found.columns) == list(RESULTS)
    assert len(found) == 3 * FEW + 1


def test_every_column_is_told_of() -> None:
    told = re.findall(r"`(\w+)`", PAGE[PAGE.index("| columns |") : PAGE.index("Sizes are bytes")])
    families = ("peak_", "end_", "pace_")
    assert [name for name in RESULTS if name not in told and not name.startswith(families)] == []
