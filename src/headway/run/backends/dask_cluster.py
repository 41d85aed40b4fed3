"""A Dask cluster: another's at an address, or one of processes on this machine."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from headway.errors import WorkerDied
from headway.run.backends.calls import Calls, PackedCalls, PackedOutcomes, make
from headway.run.backends.contract import Setup
from headway.run.backends.window import Chunk, Windowed
from headway.run.batch import Portion
from headway.run.cores import available_cores

if TYPE_CHECKING:
    # Their types differ from release to release, and are not there where they are not installed.
    dask: Any
    distributed: Any
else:
    import dask
    import distributed

__all__ = ["Dask", "make_on_dask"]


class Dask(Windowed):
    """Sends calls to a Dask cluster, some together as one task that is never cached.

    Headway and cloudpickle must be installed on the workers. A call that kills its worker is not tried again on
    a cluster that headway started; on another its scheduler's `allowed-failures` says how often it is, and then
    the other calls of its task run again, too.

    Args:
        workers: At most so many tasks at a time; None is one for each thread of the cluster.
        setup: The initializer runs in each worker thread before the first of our calls.
        address: Of the scheduler; None is a cluster on this machine, which is started when it is first needed,
            shared by all such backends, and closed when the program ends.
    """

    name: ClassVar[str] = "dask"
    batch_ns: ClassVar[int] = 50_000_000
    # A task that has begun cannot be stopped: Dask runs it in a thread.
    stops: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def __init__(
        self, workers: int | None = None, setup: Setup = Setup(), *, address: str | None = None
    ) -> None:
        self._own = address is not None
        self._client = (
            _local.client(workers or available_cores())
            if address is None
            else distributed.Client(address, set_as_default=False)
        )
        super().__init__(workers or max(1, sum(self._client.nthreads().values())), setup)
        self._key = os.urandom(8).hex()

    def resize(self, workers: int) -> None:
        if not self._own:
            _local.client(workers)
        super().resize(workers)

    def _start(self, chunk: Chunk) -> None:
        packed = Calls(chunk, self._setup, self._key, by_value=True).pack()
        chunk.handle = self._client.submit(make_on_dask, packed, pure=False)
        chunk.handle.add_done_callback(lambda future: self._ended(chunk, future))

    def _ended(self, chunk: Chunk, future: Any) -> None:
        try:
            portion = _portion(chunk, future)
        except BaseException as error:
            portion = chunk.failed(error)
        chunk.handle = None  # the cluster forgets a task when nobody has its future
        self._finish(chunk, portion)

    def _let_go(self) -> None:
        if self._own:
            # Not here: this may be the thread of a callback of the client, which closing would wait for.
            threading.Thread(target=self._client.close, daemon=True).start()

    def describe(self) -> dict[str, object]:
        scheduler = self._client.scheduler
        return {"scheduler": scheduler.address if scheduler is not None else None}


def make_on_dask(packed: PackedCalls) -> PackedOutcomes:
    """Make calls in a worker's thread."""
    return make(packed).pack()


def _portion(chunk: Chunk, future: Any) -> Portion:
    try:
        outcomes: PackedOutcomes = future.result()
    except distributed.scheduler.KilledWorker as error:
        died = WorkerDied(f"a worker died while it had {len(chunk.items)} of our calls: {error}")
        died.__cause__ = error
        return chunk.failed(died)
    return outcomes.portion(chunk)


class _Local:
    """The cluster on this machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cluster: Any = None
        self._client: Any = None

    def client(self, workers: int) -> Any:
        """A client of the cluster, which then has at least so many workers."""
        with self._lock:
            if self._cluster is None:
                # A call that kills its worker would kill three more.
                with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                    self._cluster = distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address=":0",
                        silence_logs=logging.CRITICAL,
                    )
                self._client = distributed.Client(self._cluster, set_as_default=False)
                atexit.register(self._close)
            elif len(self._cluster.worker_spec) < workers:
                self._cluster.scale(workers)
                self._client.wait_for_workers(workers)
            return self._client

    def _close(self) -> None:  # after the backends, whose hook comes before what atexit does
        self._client.close()
        self._cluster.close()


_local = _Local()
