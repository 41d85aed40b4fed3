"""A Ray cluster: the one that this program has joined, another's at an address, or one on this machine."""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar

from headway.errors import TimedOut, WorkerDied
from headway.run.backends.calls import Calls, PackedCalls, PackedOutcomes, make
from headway.run.backends.contract import Setup
from headway.run.backends.window import Chunk, Windowed
from headway.run.batch import Portion
from headway.run.cores import available_cores

if TYPE_CHECKING:
    # Its types differ from release to release, and are not there where it is not installed.
    ray: Any
else:
    import ray
    import ray.exceptions

__all__ = ["Ray", "make_on_ray"]

_joining = threading.Lock()


class Ray(Windowed):
    """Sends calls to a Ray cluster, some together as one task that is never tried again.

    Headway and cloudpickle must be installed on the workers. Stopping a call, also for its timeout, kills its
    worker; Ray starts another.

    Args:
        workers: At most so many tasks at a time; None is one for each core of the cluster.
        setup: The initializer runs in each worker process before the first of our calls.
        address: Of the cluster, such as `ray://host:10001`. With None it is the one that this program has
            joined already, else one on this machine, which ends with the program.
    """

    name: ClassVar[str] = "ray"
    batch_ns: ClassVar[int] = 50_000_000
    stops: ClassVar[bool] = True
    local: ClassVar[bool] = False

    def __init__(
        self, workers: int | None = None, setup: Setup = Setup(), *, address: str | None = None
    ) -> None:
        with _joining:
            if not ray.is_initialized():
                _join(address, workers)
        self._cores = max(1.0, ray.cluster_resources().get("CPU", 1.0))
        super().__init__(workers or int(self._cores), setup)
        self._key = os.urandom(8).hex()
        self._make = ray.remote(max_retries=0)(make_on_ray)

    def _start(self, chunk: Chunk) -> None:
        batch = chunk.batch
        packed = Calls(chunk, self._setup, self._key, by_value=True).pack()
        # More workers than cores share them, so that none waits for another to end.
        cores = min(1.0, math.floor(1000 * self._cores / self.workers) / 1000)
        ref = self._make.options(num_cpus=cores).remote(packed, batch.timeout_s)
        chunk.handle = ref
        future: Future[PackedOutcomes] = ref.future()
        future.add_done_callback(lambda future: self._ended(chunk, future))
        if chunk.error is not None:
            self._stop_chunk(chunk, chunk.error)

    def _ended(self, chunk: Chunk, future: Future[PackedOutcomes]) -> None:
        try:
            portion = _portion(chunk, future)
        except BaseException as error:
            portion = chunk.failed(error)
        chunk.handle = None
        self._finish(chunk, portion)

    def _stop_chunk(self, chunk: Chunk, error: BaseException) -> bool:
        chunk.error = error
        if (ref := chunk.handle) is not None:
            ray.cancel(ref, force=True)
        return True

    def describe(self) -> dict[str, object]:
        return {"cores": self._cores, "nodes": len(ray.nodes())}


def make_on_ray(packed: PackedCalls, timeout_s: float | None) -> PackedOutcomes:
    """Make calls in a worker process, which SIGALRM ends when one is over time."""
    # The kernel's timer: it ends also a call that does not give up the GIL.
    if timeout_s is not None:
        signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        return make(packed).pack()
    finally:
        if timeout_s is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _portion(chunk: Chunk, future: Future[PackedOutcomes]) -> Portion:
    batch = chunk.batch
    try:
        return future.result().portion(chunk)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        name = getattr(batch.fn, "__qualname__", None) or repr(batch.fn)
        took_s = (time.monotonic_ns() - chunk.sent_ns) / 1e9
        if batch.timeout_s is not None and took_s >= batch.timeout_s:
            return chunk.failed(TimedOut(f"{name} was stopped: it ran longer than {batch.timeout_s:g} s"))
        died = WorkerDied(f"a worker died while it had {len(chunk.items)} calls of {name}: {error}")
        died.__cause__ = error
        return chunk.failed(died)


def _join(address: str | None, workers: int | None) -> None:
    if address is not None:
        ray.init(address=address, logging_level=logging.ERROR)
        return
    ray.init(
        address="local",
        num_cpus=max(available_cores(), workers or 0),
        include_dashboard=False,
        logging_level=logging.ERROR,
    )
    atexit.register(ray.shutdown)  # after the backends, whose hook comes before what atexit does
