"""prometheus_client: metrics that all threads count with."""

import threading
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PACKAGE = "prometheus_client"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_no_increment_is_lost() -> None:
    """Two threads, one counter with a label that both make."""
    registry = CollectorRegistry()
    counter = Counter("hits", "Hits.", ["page"], registry=registry)

    def hit() -> None:
        counter.labels("a").inc()

    _together(hit, hit)
    assert registry.get_sample_value("hits_total", {"page": "a"}) == 2


def check_collect_beside_labels() -> None:
    """Collected while new labels come and go."""
    registry = CollectorRegistry()
    gauge = Gauge("users", "Users.", ["page"], registry=registry)
    gauge.labels("a").set(1)

    def collect() -> None:
        assert registry.get_sample_value("users", {"page": "a"}) in (None, 1)

    def change() -> None:
        gauge.labels("b").inc()
        gauge.remove("b")

    _together(collect, change)


def check_in_progress() -> None:
    """track_inprogress ends at 0."""
    gauge = Gauge("busy", "Busy.", registry=None)

    def work() -> None:
        with gauge.track_inprogress():
            pass

    _together(work, work)
    assert gauge._value.get() == 0


def check_a_histogram_agrees_with_itself() -> None:
    """What is collected of one histogram belongs together: the count is that of the largest bucket."""
    registry = CollectorRegistry()
    histogram = Histogram("took", "Took.", buckets=(1.0,), registry=registry)
    seen: list[tuple[float, float]] = []

    def collect() -> None:
        for metric in registry.collect():
            values = {(sample.name, sample.labels.get("le")): sample.value for sample in metric.samples}
            seen.append((values["took_count", None], values["took_sum", None]))

    _together(lambda: histogram.observe(0.5), collect)
    assert seen[0] in ((0, 0), (1, 0.5)), seen
