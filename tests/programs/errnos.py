"""Calls libc with errno set before, and prints what each call returns and what errno is afterwards."""

import ctypes
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
libc.sem_clockwait.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]

buffer = ctypes.create_string_buffer(64)
sem = ctypes.create_string_buffer(64)
past = (ctypes.c_long * 2)(0, 0)
wrong = (ctypes.c_long * 2)(0, 2_000_000_000)
short = (ctypes.c_long * 2)(0, 1_000)
pid = libc.getpid()

CALLS: list[tuple[Any, ...]] = [
    ("sem_init", sem, 0, 1),
    ("sem_trywait", sem),
    ("sem_trywait", sem),
    ("sem_timedwait", sem, past),
    ("sem_timedwait", sem, wrong),
    ("sem_clockwait", sem, 1, past),
    ("sem_post", sem),
    ("sem_wait", sem),
    ("sem_destroy", sem),
    ("read", -1, buffer, 1),
    ("read", 0, buffer, 0),
    ("write", -1, buffer, 1),
    ("pread", -1, buffer, 1, 0),
    ("pwrite", -1, buffer, 1, 0),
    ("readv", -1, None, 0),
    ("writev", -1, None, 0),
    ("recv", -1, buffer, 1, 0),
    ("send", -1, buffer, 1, 0),
    ("sendmsg", -1, None, 0),
    ("recvmsg", -1, None, 0),
    ("accept", -1, None, None),
    ("connect", -1, None, 0),
    ("poll", None, 0, 1),
    ("ppoll", None, 0, short, None),
    ("select", 0, None, None, None, (ctypes.c_long * 2)(0, 1)),
    ("select", -1, None, None, None, None),
    ("epoll_wait", -1, None, 0, 0),
    ("open", b"/nowhere/nothing", 0),
    ("openat", -100, b"/nowhere/nothing", 0),
    ("open", b"/", 2),
    ("fcntl", -1, 1, 0),
    ("fcntl", 0, 1, 0),
    ("flock", -1, 2),
    ("lockf", -1, 1, 0),
    ("fsync", -1),
    ("fdatasync", -1),
    ("usleep", 10),
    ("nanosleep", short, None),
    ("nanosleep", wrong, None),
    ("clock_nanosleep", 1, 0, short, None),
    ("clock_nanosleep", 1, 0, wrong, None),
    ("sigtimedwait", bytes(128), None, past),
    ("wait", None),
    ("waitpid", -1, None, 0),
    ("wait4", -1, None, 0, None),
    ("waitid", 0, 0, None, 4),
    ("execv", b"/nowhere/nothing", (ctypes.c_char_p * 2)(b"x", None)),
    ("execve", b"/", (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None)),
    ("posix_spawn", None, b"/nowhere/nothing", None, None, (ctypes.c_char_p * 2)(b"x", None), None),
    ("sendfile", -1, -1, None, 1),
    ("splice", -1, None, -1, None, 1, 0),
    ("tcdrain", -1),
    ("getaddrinfo", None, None, None, ctypes.byref(ctypes.c_void_p())),
]

for name, *args in CALLS:
    ctypes.set_errno(1234)
    result = getattr(libc, name)(*args)
    print(name, result, ctypes.get_errno())
