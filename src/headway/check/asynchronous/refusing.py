"""What a loop under check refuses: sockets, pipes, processes and signals are real, and no schedule fixes them."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from headway.check.ending import raised
from headway.check.place import outside, short
from headway.check.world import here, world
from headway.errors import CannotControl

__all__ = ["Refusing", "refuse"]

_REFUSED = (
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "remove_reader",
    "remove_signal_handler",
    "remove_writer",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
)


def refuse(what: str) -> NoReturn:
    """End the execution: the scenario does something that no schedule fixes.

    Raises:
        CannotControl: With the line.
    """
    frame = outside(sys._getframe(2))
    while frame is not None and f"{os.sep}gevent{os.sep}" in frame.f_code.co_filename:
        frame = outside(frame.f_back)
    place = f"{short(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "an unknown place"
    error = CannotControl(
        f"{place}: {what} is not under control",
        hint="give the scenario a stand-in for it, such as a queue or a future",
    )
    execution = world.execution
    me = here()
    if execution is not None and me is not None:
        execution.end(raised(me, error))
    raise error


class Refusing:
    """Has the methods of a loop that are refused."""

    __slots__ = ()


def _refused(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(f"loop.{name}")

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Refuses `loop.{name}`."
    return method


for _name in _REFUSED:
    setattr(Refusing, _name, _refused(_name))
