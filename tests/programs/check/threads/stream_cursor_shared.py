"""Two readers of one open file, each of which goes to its place and reads a record.

The first goes to record 0; the second goes to record 1 and reads it; the first reads on from there.
"""

import io
import threading

KIND = "failure"
LEVEL = "line"
SOURCE = "os.pread exists for this; https://docs.python.org/3/library/os.html#os.pread"


def read_record(file: io.BytesIO, number: int) -> bytes:
    file.seek(number * 4)
    return file.read(4)


def scenario() -> None:
    file = io.BytesIO(b"zeroone.")
    records: list[tuple[int, bytes]] = []

    def reader(number: int) -> None:
        records.append((number, read_record(file, number)))

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(records) == [(0, b"zero"), (1, b"one.")]
