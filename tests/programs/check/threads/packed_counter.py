"""A counter in the header of a page, unpacked, raised and packed in one line by functions written in C.

Both threads unpack 0 and both pack 1. Between the two calls there is neither a new line nor an access that Python sees.
"""

import struct
import threading

KIND = "failure"
LEVEL = "opcode"
SOURCE = "ours; a line of Python is many instructions"

HEADER = struct.Struct("<I")


def add_row(page: bytearray) -> None:
    HEADER.pack_into(page, 0, HEADER.unpack_from(page, 0)[0] + 1)


def scenario() -> None:
    page = bytearray(16)
    threads = [threading.Thread(target=add_row, args=(page,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert HEADER.unpack_from(page, 0) == (2,)
