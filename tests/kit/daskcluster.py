"""A cluster of dask's own processes on this machine, over TLS: a scheduler and two workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kit.root import ROOT

START_SECONDS = 60


@dataclass(frozen=True)
class DaskCluster:
    """What a client needs to know of it."""

    address: str
    folder: Path

    def options(self, certificate: str = "node") -> list[str]:
        """How `goalloc sweep` is told of it."""
        return ["--scheduler", self.address, *tls("--tls-ca", self.folder, certificate)]


def tls(ca: str, folder: Path, certificate: str) -> list[str]:
    """The files of TLS, as options. All nodes have the one certificate, which has signed itself."""
    own = ["--tls-cert", str(folder / f"{certificate}.pem"), "--tls-key", str(folder / f"{certificate}.key")]
    return [ca, str(folder / "node.pem"), *own]


def make_certificate(folder: Path, name: str) -> None:
    from distributed.security import Security

    made = Security.temporary()
    (folder / f"{name}.pem").write_text(made.tls_client_cert)
    (folder / f"{name}.key").write_text(made.tls_client_key)


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    """Start it, and end it."""
    for name in ("node", "foreign"):
        make_certificate(folder, name)
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
    }
    told = folder / "scheduler.json"
    own = tls("--tls-ca-file", folder, "node")
    dask = [sys.executable, "-m", "dask"]
    processes = []
    with (folder / "log").open("w") as log:

        def start(*command: str) -> None:
            processes.append(subprocess.Popen([*dask, *command], stdout=log, stderr=log, env=environ, cwd=folder))

        try:
            start("scheduler", "--host", "127.0.0.1", "--port", "0", "--protocol", "tls", *own, "--no-dashboard",
                  "--scheduler-file", str(told))  # fmt: skip
            last = time.monotonic() + START_SECONDS
            while not told.exists() and time.monotonic() < last:
                time.sleep(0.05)
            start("worker", "--scheduler-file", str(told), *own, "--nworkers", str(workers), "--nthreads", "1",
                  "--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(folder))  # fmt: skip
            yield DaskCluster(json.loads(told.read_text())["address"], folder)
        finally:
            for process in processes:  # workers see that their nanny is gone
                process.kill()
                process.wait()
