"""Where tasks run: processes of this machine, or the workers of a scheduler of dask's. Only this module knows dask."""

from __future__ import annotations

import logging
import queue
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goalloc_cli.errors import UNEXPECTED, USAGE, ToldError
from goalloc_cli.host.parallel import deaf_to_the_terminal
from goalloc_cli.host.sink import temporary_folder
from goalloc_cli.sweep.columns import LOST, Row
from goalloc_cli.sweep.task import rows_of
from goalloc_cli.sweep.versions import differences, versions

KILLED = "KilledWorker"
"""The kind of error of a task whose workers died."""
DEATHS = 2
"""Workers that a task may kill, less one, before it is given up."""
CONNECT_SECONDS = 30
CLOSE_SECONDS = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOGGERS = ("distributed", "tornado", "asyncio")
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.scheduler.worker-saturation": 1.0,  # a task that waits on a worker dies with what runs there
    "distributed.scheduler.worker-ttl": "1 hour",  # a compiler may keep a worker from answering for minutes
    "distributed.admin.low-level-log-length": 1_000,  # it is the driver's memory
    "distributed.admin.log-length": 1_000,
}


class ClusterError(ToldError):
    """The scheduler, or one of its workers, is not what it has to be."""

    code = USAGE


class LostClusterError(ToldError):
    """The scheduler is gone."""

    code = UNEXPECTED


@dataclass(frozen=True)
class Where:
    """What the command line says of it."""

    workers: int = 1
    memory: int | None = None
    """Bytes that a local worker may take."""
    scheduler: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    insecure: bool = False

    def refuse(self) -> None:
        """Raise ClusterError for a scheduler that is not to be talked to, or whose certificates are not there."""
        if self.scheduler is None:
            return
        found = urlsplit(self.scheduler)
        if found.scheme not in ("tls", "tcp") or not found.hostname:
            raise ClusterError(f"--scheduler takes tls://HOST:PORT, not {self.scheduler!r}")
        files = {"--tls-ca": self.ca, "--tls-cert": self.certificate, "--tls-key": self.key}
        if found.scheme == "tcp":
            if found.hostname not in LOOPBACK and not self.insecure:
                raise ClusterError(
                    f"{self.scheduler}: whoever reaches such a scheduler can run programs on its workers; take tls://, or "
                    "say --insecure where the network is your own"
                )
            return
        missing = [option for option, path in files.items() if path is None]
        if missing:
            raise ClusterError(f"{self.scheduler}: tls:// needs {', '.join(missing)}")
        for option, path in files.items():
            if not Path(str(path)).is_file():
                raise ClusterError(f"{option}: {path}: there is no such file")


class Cluster:
    """Workers, the tasks that they have, and what comes of these."""

    def __init__(self, client: Any, function: Callable[[list[dict[str, Any]]], dict[str, Any]] = rows_of) -> None:
        self.client = client
        self.function = function
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.run = secrets.token_hex(16)
        self.sent = 0

    def workers(self) -> int:
        """How many there are now."""
        try:
            return len(self.client.nthreads())
        except Exception as error:  # of dask, tornado or asyncio
            raise self.lost(error) from None

    def check(self) -> None:
        """Raise ClusterError where a worker has another goalloc."""
        for worker, found in self.client.run(versions, on_error="return").items():
            self.check_one(worker, found)

    def check_one(self, worker: str, found: Any) -> None:
        """The same of what one has told; of a worker without goalloc that is an error."""
        if isinstance(found, BaseException):
            raise ClusterError(f"worker {worker} cannot run goalloc ({type(found).__name__}: {found}); install it there")
        if problem := differences(found):
            raise ClusterError(f"worker {worker} has another goalloc: {problem}; install the same there")

    def send(self, messages: list[dict[str, Any]]) -> str:
        """Have tasks done, one after the other on one worker; return a name for them."""
        self.sent += 1
        future = self.client.submit(self.function, messages, key=(f"rows-{self.run}", self.sent), pure=False)
        future.add_done_callback(self.done.put)
        return str(future.key)

    def take(self, future: Any) -> tuple[str, dict[str, Any] | Row]:
        """The name of tasks that are done, and what came of them; of those that were lost, the status of their rows."""
        from distributed import KilledWorker

        name = str(future.key)
        try:
            found = future.result()
            self.check_one("of a task", found["versions"])
            return name, found
        except KilledWorker as error:
            times = getattr(error, "allowed_failures", DEATHS) + 1
            return name, lost(KILLED, f"its worker was killed {times} times: not enough memory?")
        except ToldError:
            raise
        except Exception as error:
            if self.client.status != "running" or "ancelled" in type(error).__name__:
                raise self.lost(error) from None
            return name, lost(type(error).__name__, f"{type(error).__name__}: {error}")
        finally:
            future.release()

    def lost(self, error: Exception) -> LostClusterError:
        return LostClusterError(
            f"the scheduler is gone ({type(error).__name__}: {error}); what is done is kept, run the sweep again"
        )


def lost(kind: str, said: str) -> Row:
    """The status of rows whose task was lost."""
    return {"status": LOST, "error_kind": kind, "error": said}


@contextmanager
def cluster(where: Where, log: Path) -> Iterator[Cluster]:
    """The workers; where no scheduler is named, processes of this machine that nobody else can talk to.

    Raises:
        ClusterError: it cannot be reached, or one of its workers has another goalloc.
    """
    import dask

    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        stack.enter_context(quiet(log))
        client = stack.enter_context(local(where) if where.scheduler is None else remote(where))
        found = Cluster(client)
        found.check()
        yield found


@contextmanager
def local(where: Where) -> Iterator[Any]:
    """Processes of this machine. They talk over TLS with a certificate of their own: loopback is open to all its users."""
    from distributed import Client, LocalCluster
    from distributed.security import Security

    with temporary_folder() as folder:
        with deaf_to_the_terminal():
            workers = LocalCluster(
                n_workers=where.workers,
                threads_per_worker=1,
                memory_limit="auto" if where.memory is None else where.memory,
                dashboard_address=None,
                host="127.0.0.1",
                protocol="tls",
                security=Security.temporary(),
                local_directory=str(folder),
                silence_logs=logging.ERROR,
            )
            client = Client(workers)
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(CLOSE_SECONDS)
            with suppress(Exception):
                workers.close(CLOSE_SECONDS)


@contextmanager
def remote(where: Where) -> Iterator[Any]:
    """The workers of a scheduler that others started."""
    from distributed import Client
    from distributed.security import Security

    security = None
    if str(where.scheduler).startswith("tls://"):
        security = Security(
            tls_ca_file=where.ca,
            tls_client_cert=where.certificate,
            tls_client_key=where.key,
            require_encryption=True,
        )
    try:
        client = Client(where.scheduler, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # of dask, tornado, ssl or asyncio
        raise ClusterError(f"{where.scheduler}: cannot be talked to ({error})") from None
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(CLOSE_SECONDS)


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """What dask has to say goes to a file."""
    handler = logging.FileHandler(log, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
        handler.close()
