"""How each library is opened for `run.py`: as its documentation uses it, by default and at its best.

A library is imported only where its session is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from run_workloads import CORES, Work

Fn = Callable[[Any], Any]


class Session:
    """Open workers of one library.

    Args:
        map: Gives results in the order of the items.
        call: Makes one call and waits for its result.
        keep: Makes calls one of which ends its worker, and gives the results that were kept.
    """

    def __init__(
        self,
        map: Callable[[Fn, Iterable[Any]], Iterable[Any]],  # noqa: A002 (as in every library)
        call: Callable[[Fn, Any], Any],
        keep: Callable[[Fn, Iterable[Any]], list[Any]] | None = None,
    ) -> None:
        self.map = map
        self.call = call
        self.keep = keep or self._keep_from_map

    def _keep_from_map(self, fn: Fn, items: Iterable[Any]) -> list[Any]:
        kept: list[Any] = []
        with contextlib.suppress(Exception):
            kept.extend(self.map(fn, items))
        return kept


Open = Callable[[Work], contextlib.AbstractContextManager[Session]]


def kept_of(futures: Iterable[Any]) -> list[Any]:
    kept = []
    for future in futures:
        with contextlib.suppress(Exception):
            kept.append(future.result())
    return kept


def of_executor(executor: Any, chunk: int = 1) -> Session:
    """The session of anything that speaks PEP 3148."""

    def keep(fn: Fn, items: Iterable[Any]) -> list[Any]:
        # Once the pool is broken, submit raises.
        futures = []
        with contextlib.suppress(Exception):
            for item in items:
                futures.append(executor.submit(fn, item))
        return kept_of(futures)

    def start(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
        more = {"chunksize": chunk} if chunk > 1 else {}
        return executor.map(fn, items, **more)  # type: ignore[no-any-return]

    return Session(start, lambda fn, item: executor.submit(fn, item).result(), keep)


# ---- no library, and ours ----


@contextlib.contextmanager
def plain_loop(work: Work) -> Iterator[Session]:
    yield Session(lambda fn, items: (fn(item) for item in items), lambda fn, item: fn(item))


def headway_map(on: str, *, many: bool = False) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import headway

        more: dict[str, Any] = {"workers": work.threads} if many else {}

        def keep(fn: Fn, items: Iterable[Any]) -> list[Any]:
            results = headway.map(fn, items, on=on, on_error="return", **more)
            return [result for result in results if not isinstance(result, BaseException)]

        with contextlib.ExitStack() as stack:
            executors: list[Any] = []

            def call(fn: Fn, item: Any) -> Any:
                if not executors:
                    executors.append(stack.enter_context(headway.Executor(on=on)))
                return executors[0].submit(fn, item).result()

            yield Session(lambda fn, items: headway.map(fn, items, on=on, **more), call, keep)

    return opened


# ---- the standard library ----


def futures_threads(best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(work.threads if best else None) as executor:
            yield of_executor(executor)

    return opened


def futures_processes(start: str, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context(start)
        with ProcessPoolExecutor(CORES, mp_context=context) as executor:
            yield of_executor(executor, work.chunk or 1 if best else 1)

    return opened


def of_mp_pool(pool: Any, chunk: int) -> Session:
    def keep(fn: Fn, items: Iterable[Any]) -> list[Any]:
        kept = []
        for result in [pool.apply_async(fn, (item,)) for item in items]:
            with contextlib.suppress(Exception):
                kept.append(result.get())
        return kept

    return Session(
        lambda fn, items: pool.imap(fn, items, chunksize=chunk),
        lambda fn, item: pool.apply(fn, (item,)),
        keep,
    )


def mp_pool(start: str, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import multiprocessing

        with multiprocessing.get_context(start).Pool(CORES) as pool:
            yield of_mp_pool(pool, work.chunk or 1 if best else 1)

    return opened


@contextlib.contextmanager
def mp_pool_eager(work: Work) -> Iterator[Session]:
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(CORES) as pool:
        yield Session(pool.map, lambda fn, item: pool.apply(fn, (item,)))


def mp_threads(best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from multiprocessing.pool import ThreadPool

        with ThreadPool(work.threads if best else None) as pool:
            yield of_mp_pool(pool, work.chunk or 1 if best else 1)

    return opened


# ---- packages ----


def joblib_parallel(backend: str, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from joblib import Parallel, delayed

        more: dict[str, Any] = {}
        if best and work.chunk:
            more = {"batch_size": work.chunk, "pre_dispatch": "4*n_jobs"}
        jobs = work.threads if best and backend == "threading" else CORES
        with (
            Parallel(n_jobs=jobs, backend=backend, return_as="generator", **more) as lazy,
        ):
            yield Session(
                lambda fn, items: lazy(delayed(fn)(item) for item in items),
                lambda fn, item: next(iter(lazy([delayed(fn)(item)]))),
            )

    return opened


def loky_executor(best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from loky import get_reusable_executor

        executor = get_reusable_executor(max_workers=CORES)
        yield of_executor(executor, work.chunk or 1 if best else 1)
        executor.shutdown(wait=True)

    return opened


def mpire_pool(start: str, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from mpire import WorkerPool

        jobs = work.threads if best and start == "threading" else CORES
        with WorkerPool(n_jobs=jobs, start_method=start, keep_alive=True) as pool:

            def start_map(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
                if not best:
                    return pool.imap(fn, items)  # type: ignore[no-any-return]
                return pool.imap(fn, items, iterable_len=work.count, chunk_size=work.chunk or 1)  # type: ignore[no-any-return]

            def keep(fn: Fn, items: Iterable[Any]) -> list[Any]:
                kept: list[Any] = []
                with contextlib.suppress(Exception):
                    kept.extend(pool.imap_unordered(fn, items, chunk_size=1))
                return kept

            yield Session(start_map, lambda fn, item: pool.apply(fn, (item,)), keep)

    return opened


def pebble_processes(start: str, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import multiprocessing

        from pebble import ProcessPool

        with ProcessPool(max_workers=CORES, context=multiprocessing.get_context(start)) as pool:
            yield Session(
                lambda fn, items: pool.map(fn, items, chunksize=work.chunk or 1 if best else 1).result(),
                lambda fn, item: pool.schedule(fn, args=(item,)).result(),
                lambda fn, items: kept_of([pool.schedule(fn, args=(item,)) for item in items]),
            )

    return opened


def pebble_threads(best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        from pebble import ThreadPool

        with ThreadPool(max_workers=work.threads if best else CORES) as pool:
            yield Session(
                lambda fn, items: pool.map(fn, items, chunksize=work.chunk or 1 if best else 1).result(),
                lambda fn, item: pool.schedule(fn, args=(item,)).result(),
            )

    return opened


def dask_cluster(processes: bool, best: bool) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import dask
        from distributed import Client, LocalCluster

        # A call that killed a worker is tried three times more, each on a worker that dies of it, too.
        dask.config.set({"distributed.scheduler.allowed-failures": 0 if best else 3})
        threads = work.threads if best and not processes else 1
        with (
            LocalCluster(
                n_workers=CORES if processes else 1,
                threads_per_worker=threads if processes else max(threads, CORES),
                processes=processes,
                dashboard_address=None,
            ) as cluster,
            Client(cluster) as client,
        ):

            def start(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
                if best and work.chunk:
                    import dask.bag

                    bag = dask.bag.from_sequence(items, partition_size=work.chunk).map(fn)
                    return client.compute(bag).result()  # type: ignore[no-any-return]
                # `pure` would take equal calls for one.
                return client.gather(client.map(fn, list(items), pure=False))  # type: ignore[no-any-return]

            yield Session(
                start,
                lambda fn, item: client.submit(fn, item, pure=False).result(),
                lambda fn, items: kept_of(client.map(fn, list(items), pure=False)),
            )

    return opened


def ray_cluster(best: bool, *, waiting: bool = False) -> Open:
    @contextlib.contextmanager
    def opened(work: Work) -> Iterator[Session]:
        import ray

        ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        options = {"max_retries": 0} if best else {}
        known: dict[Fn, Any] = {}

        def remote(fn: Fn) -> Any:
            if fn not in known:
                known[fn] = ray.remote(fn).options(**options)
            return known[fn]

        def start(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
            function = remote(fn)
            return ray.get([function.remote(item) for item in items])  # type: ignore[no-any-return]

        def keep(fn: Fn, items: Iterable[Any]) -> list[Any]:
            function, kept = remote(fn), []
            for reference in [function.remote(item) for item in items]:
                with contextlib.suppress(ray.exceptions.RayError):
                    kept.append(ray.get(reference))
            return kept

        if best and waiting:

            class Caller:
                def call(self, fn: Fn, item: Any) -> Any:
                    return fn(item)

            actor = ray.remote(Caller).options(max_concurrency=work.threads).remote()

            def start(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
                return ray.get([actor.call.remote(fn, item) for item in items])  # type: ignore[no-any-return]

        elif best and work.chunk:
            from ray.util.multiprocessing import Pool

            pool = Pool(processes=CORES)

            def start(fn: Fn, items: Iterable[Any]) -> Iterable[Any]:
                return pool.imap(fn, items, chunksize=work.chunk)  # type: ignore[no-any-return]

        yield Session(start, lambda fn, item: ray.get(remote(fn).remote(item)), keep)
        ray.shutdown()

    return opened
