"""What a store keeps of a sweep: each row once, in the same bytes, and nothing that was not written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from goalloc_cli.errors import ToldError
from goalloc_cli.sweep.columns import ALL, LOST, RESULTS, RUNS
from goalloc_cli.sweep.store import Store, StoreError
from goalloc_cli.sweep.task import told
from tests.sweep.test_sweep_parts import row


def traces_of(store: Store) -> list[tuple[str, str, int]]:
    found = store.read(("trace", "design", "peak_HeapInuse"))
    return [tuple(each.values()) for each in found.to_pylist()]  # type: ignore[misc]


def test_parts_are_merged_in_order_and_the_later_row_holds(arrow: None, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add([row("b"), row("a", status=LOST, peak_HeapInuse=None)])
    store.add([row("a", peak_HeapInuse=7)])
    assert store.merge() == 2
    assert traces_of(store) == [("a", "own", 7), ("b", "own", 100)]
    assert store.parts == []
    store.add([row("c")])
    assert store.merge() == 3


def test_the_same_rows_make_the_same_bytes(arrow: None, tmp_path: Path) -> None:
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    for store in (one, other):
        store.make()
    one.add([row("a"), row("b", host="there")])
    other.add([row("b")])
    other.add([row("a")])
    one.merge(), other.merge()
    assert one.results.read_bytes() == other.results.read_bytes()


def test_a_merge_that_was_killed_between_its_files_is_made_good(arrow: None, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add([row("a"), row("b")])
    store.merge()
    before = store.results.read_bytes()
    store.add([row("c"), row("b", peak_HeapInuse=9, key="other")])
    (part,) = store.parts
    kept = part.read_bytes()
    store.merge()
    after = store.results.read_bytes()
    store.results.write_bytes(before)  # the runs are new, the results old, the part is there
    part.write_bytes(kept)
    assert [trace for trace, *_ in traces_of(store)] == ["a", "b", "c", "b"]
    store.merge()
    assert store.results.read_bytes() == after


def test_what_was_not_written_whole_is_never_read(arrow: None, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add([row("a")])
    (tmp_path / ".goalloc-0123.tmp").write_bytes(b"PAR1")
    assert traces_of(store) == [("a", "own", 100)]


def test_rows_that_all_failed_have_every_column(arrow: None, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store = Store(tmp_path)
    store.add([{"key": "k", "status": LOST, "trace": "a", "design": "own", "slot": "s", "pair": "p"}])
    assert pq.read_schema(store.parts[0]).names == list(ALL)
    store.merge()
    assert pq.read_schema(store.results).names == list(RESULTS)
    assert pq.read_schema(tmp_path / "runs.parquet").names == list(RUNS)


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        Store(tmp_path).refuse()


def test_anothers_parquet_is_refused(arrow: None, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "results.parquet")
    with pytest.raises(ToldError, match="not written by goalloc sweep"):
        Store(tmp_path).read(("key",))
    (tmp_path / "results.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(ToldError, match="is damaged"):
        Store(tmp_path).read(("key",))


@pytest.mark.parametrize(
    ("cause", "said"), [(None, "there is no such file"), (OSError("Cannot connect to h:80"), "Cannot connect to h:80")]
)
def test_what_a_file_system_only_names_is_told_with_a_reason(cause: Exception | None, said: str) -> None:
    error = FileNotFoundError("https://host/t.trace")
    error.__cause__ = cause
    assert told(error, "https://host/t.trace", "https://host/t.trace")["error"] == (
        f"https://host/t.trace: cannot be had: {said}"
    )
