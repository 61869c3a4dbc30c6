"""A sweep without dask: the naive twin of its cluster."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from goalloc_cli.sweep import cluster as clusters
from goalloc_cli.sweep.task import rows_of


def here(function: Callable[..., Any] = rows_of) -> Callable[..., Any]:
    """In place of `cluster`: this process does each task when it is asked for."""

    class Done:
        def __init__(self, key: object, work: Callable[[], Any]) -> None:
            self.key = key
            self.result = work

        def add_done_callback(self, told: Callable[[Any], None]) -> None:
            told(self)

        def release(self) -> None:
            pass

    class Client:
        status = "running"

        def submit(self, function: Callable[..., Any], message: dict[str, Any], key: object, pure: bool) -> Done:
            return Done(key, partial(function, json.loads(json.dumps(message))))

        def nthreads(self) -> dict[str, int]:
            return {"here": 1}

    @contextlib.contextmanager
    def one(*_: object) -> Iterator[clusters.Cluster]:
        yield clusters.Cluster(Client(), function)

    return one
