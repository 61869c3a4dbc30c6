"""The folder of a sweep: parts, which one driver adds to, and what they are merged into.

A part is written whole or not at all, and never changed; a merge puts all rows into `results.parquet`, sorted, and
`runs.parquet` beside it, and then removes the parts. Where a row is there twice, the later one holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from goalloc_cli.errors import USAGE, ToldError, TraceError
from goalloc_cli.host.sink import write_file
from goalloc_cli.sweep.columns import ALL, RESULTS, RUNS, SCHEMA_VERSION, Row

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS_FILE, RUNS_FILE, ABOUT_FILE, LOCK_FILE, LOG_FILE = (
    "results.parquet", "runs.parquet", "sweep.json", ".lock", "engine.log"
)  # fmt: skip
JOINT = ("trace", "design", "key")
"""Columns that results and runs both have, in one order."""
MOST_ABOUT = 64 << 20
COMPRESSION = "zstd"


class StoreError(ToldError):
    """The folder holds something else."""

    code = USAGE


class Store:
    """The folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def results(self) -> Path:
        return self.folder / RESULTS_FILE

    @property
    def log(self) -> Path:
        return self.folder / LOG_FILE

    def refuse(self) -> None:
        """Raise StoreError where something else is there."""
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"{self.folder}: is no folder; -o names a folder for the results")
        others = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        if others and not self.is_ours(others):
            raise StoreError(f"{self.folder}: holds other files than a sweep's ({others[0]}); name a folder of its own")

    def make(self) -> None:
        """Have the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def need(self) -> None:
        """Raise StoreError where there are no results."""
        if not self.results.exists() and not self.parts:
            raise StoreError(f"{self.folder}: holds no results of a sweep")

    @staticmethod
    def is_ours(names: list[str]) -> bool:
        """Whether a folder with these names in it is a sweep's."""
        ours = (RESULTS_FILE, RUNS_FILE, ABOUT_FILE, LOCK_FILE, LOG_FILE)
        return any(name in ours or name.startswith("part-") for name in names)

    @property
    def parts(self) -> list[Path]:
        """The parts, in the order in which they were written."""
        return sorted(self.folder.glob("part-*.parquet"))

    # Rows

    def add(self, rows: list[Row]) -> None:
        """Write a part."""
        import pyarrow as pa

        columns = {name: [row.get(name) for row in rows] for name in ALL}
        table = pa.table(columns, schema=schema(ALL))
        name = f"part-{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}.parquet"
        self.write(name, table, force=False)

    def write(self, name: str, table: pa.Table, force: bool) -> None:
        """Write a file that is there after a crash of the machine, too."""
        import pyarrow.parquet as pq

        def writer(file: BinaryIO) -> None:
            pq.write_table(table, file, compression=COMPRESSION)
            file.flush()
            os.fsync(file.fileno())

        write_file(self.folder / name, force, writer)
        with contextlib.suppress(OSError):  # where a folder is nothing that can be opened
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self, names: tuple[str, ...], keys: set[str] | None = None) -> pa.Table:
        """Some columns of all rows, what was merged first; or of the rows that have one of these keys."""
        with self.locked():
            return self.read_unlocked(names, keys)

    def read_unlocked(self, names: tuple[str, ...], keys: set[str] | None = None) -> pa.Table:
        """The same, for who has the lock."""
        import pyarrow as pa

        needed = names if keys is None else tuple(dict.fromkeys(("key", *names)))
        found = [self.merged(needed)]
        found += [self.part(path, needed) for path in self.parts]
        tables = [table if keys is None else with_keys(table, keys) for table in found if table is not None]
        if not tables:
            return schema({name: ALL[name] for name in names}).empty_table()
        return pa.concat_tables(tables).select(list(names))

    def merged(self, names: tuple[str, ...]) -> pa.Table | None:
        """Columns of what was merged; None where nothing was."""
        results, runs = self.results, self.folder / RUNS_FILE
        if not results.exists():
            return None
        left = read_parquet(results, [name for name in dict.fromkeys((*JOINT, *names)) if name in RESULTS])
        if all(name in RESULTS for name in names):
            return conform(left, names)
        right = read_parquet(runs, [name for name in dict.fromkeys((*JOINT, *names)) if name in RUNS])
        left, right = side_by_side(left, right)
        for name in right.column_names:
            if name not in JOINT:
                left = left.append_column(name, right[name])
        return conform(left, names)

    def part(self, path: Path, names: tuple[str, ...]) -> pa.Table | None:
        """Columns of a part; None where another sweep has merged it meanwhile."""
        try:
            return conform(read_parquet(path, list(names)), names)
        except FileNotFoundError:
            return None

    def rows_of(self, keys: set[str]) -> dict[str, Row]:
        """The rows that have these keys."""
        return {row["key"]: row for row in self.read(tuple(ALL), keys).to_pylist()}

    # Merging

    def merge(self) -> int:
        """Put all parts into the results; return how many rows these have then."""
        with self.locked():
            parts = self.parts
            if not parts:
                done = self.merged(("key",))
                return 0 if done is None else int(done.num_rows)
            table = latest(self.read_unlocked(tuple(ALL)))
            # The runs first: see `side_by_side`.
            self.write(RUNS_FILE, table.select(list(RUNS)), force=True)
            self.write(RESULTS_FILE, table.select(list(RESULTS)).replace_schema_metadata(METADATA), force=True)
            for part in parts:
                part.unlink(missing_ok=True)
            return int(table.num_rows)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time, where several sweeps share the folder. A folder that is only read from needs no lock."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(ImportError, OSError):  # no such locks here
                import fcntl

                lock = stack.enter_context((self.folder / LOCK_FILE).open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # What was asked

    def designs(self) -> list[str]:
        """The names of all designs that were ever asked for, in their order."""
        from goalloc_cli.host.source import read_whole

        path = self.folder / ABOUT_FILE
        if not path.exists():
            return []
        try:
            found = json.loads(read_whole(str(path), MOST_ABOUT))["designs"]
            if not isinstance(found, list):
                raise ValueError("designs is no list")
            return [str(name) for name in found]
        except (ValueError, LookupError, TypeError) as error:
            raise TraceError(f"{path}: is damaged ({error}); remove it") from None

    def note_designs(self, names: list[str]) -> None:
        """Keep the names, behind those that are there."""
        known = self.designs()
        every = list(dict.fromkeys([*known, *names]))
        if every != known:
            text = json.dumps({"schema_version": SCHEMA_VERSION, "designs": every}, indent=1)
            write_file(self.folder / ABOUT_FILE, True, lambda file: file.write(f"{text}\n".encode()))


METADATA = {"goalloc sweep": str(SCHEMA_VERSION)}
"""What a file of results says of itself."""


def schema(columns: dict[str, str]) -> pa.Schema:
    """The columns as Parquet has them."""
    import pyarrow as pa

    kinds = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()], metadata=METADATA)


def with_keys(table: pa.Table, keys: set[str]) -> pa.Table:
    """The rows that have one of these keys."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table["key"], value_set=pa.array(sorted(keys), pa.string())))


def side_by_side(results: pa.Table, runs: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The two, row by row. A sweep that was killed while it merged leaves newer runs: what these know of is kept, for all
    else is still in its parts."""
    if results.select(list(JOINT)) == runs.select(list(JOINT)):
        return results, runs
    at = {identity: number for number, identity in enumerate(zip(*(runs[name].to_pylist() for name in JOINT), strict=True))}
    pairs = [
        (number, at[identity])
        for number, identity in enumerate(zip(*(results[name].to_pylist() for name in JOINT), strict=True))
        if identity in at
    ]
    return results.take([left for left, _ in pairs]), runs.take([right for _, right in pairs])


def read_parquet(path: Path, names: list[str]) -> pa.Table:
    """Columns of a file, as far as it has them; raise TraceError where it is damaged, or another's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if METADATA.keys() - {key.decode() for key in file.schema_arrow.metadata or {}}:
                raise TraceError(f"{path}: was not written by goalloc sweep; name another folder")
            there = set(file.schema_arrow.names)
            return file.read([name for name in names if name in there])
    except pa.ArrowException as error:
        raise TraceError(f"{path}: is damaged ({str(error).splitlines()[0]}); remove it, and run the sweep again") from None


def conform(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """The table with all of the columns, in order; an older version may not have had some."""
    import pyarrow as pa

    wanted = schema({name: ALL[name] for name in names})
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type) for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def latest(table: pa.Table) -> pa.Table:
    """Of each slot the last row; sorted by trace and design."""
    import numpy as np
    import pyarrow as pa

    slots = table["slot"].to_numpy()
    _, first = np.unique(slots[::-1], return_index=True)
    kept = table.take(pa.array(np.sort(len(slots) - 1 - first)))
    by = [(name, "ascending") for name in ("trace", "design", "slot")]
    return kept.sort_by(by).combine_chunks()
