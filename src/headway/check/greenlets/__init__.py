"""gevent under control: its own primitives, on a hub whose order of callbacks is chosen."""
