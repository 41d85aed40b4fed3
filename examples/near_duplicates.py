"""Near duplicates in a folder of documents: which two files are most alike?

Each document gets a SimHash: 64 bits, of which few differ if two texts share most of their phrases. That is pure
Python and keeps a core busy; `headway.map` finds out by measuring the first files, sees that threads would stand
in line for the GIL, and moves to worker processes if so much work is left that starting them is worth it. Nothing
here says so: the report does.

    python examples/near_duplicates.py [FILES [FOLDER]]        the standard library's own modules, if no folder
"""

import itertools
import re
import sys
import sysconfig
import zlib
from pathlib import Path
from typing import NamedTuple

import headway

WORD = re.compile(rb"\w+")
BITS = 64


class Document(NamedTuple):
    """A file and its SimHash."""

    path: Path
    words: int
    hash: int


def simhash(path: Path) -> Document:
    """Hash a document. Source: Charikar, STOC 2002: each phrase votes for or against each bit."""
    words = WORD.findall(path.read_bytes().lower())
    votes = [0] * BITS
    for phrase in set(zip(words, words[1:], words[2:], strict=False)):
        joined = b" ".join(phrase)
        number = zlib.crc32(joined) << 32 | zlib.crc32(joined[::-1])
        for bit in range(BITS):
            votes[bit] += 1 if number >> bit & 1 else -1
    return Document(path, len(words), sum(1 << bit for bit, vote in enumerate(votes) if vote > 0))


def main(count: int, folder: Path) -> None:
    paths = sorted(folder.glob("*.py"))[:count]
    with headway.map(simhash, paths) as results:
        documents = list(results)
        print(results.report())
    words = sum(document.words for document in documents)
    first, second = min(
        itertools.combinations(documents, 2), key=lambda pair: (pair[0].hash ^ pair[1].hash).bit_count()
    )
    print(f"{len(documents)} documents, {words} words")
    print(
        f"most alike: {first.path.name} and {second.path.name}, {(first.hash ^ second.hash).bit_count()} bits"
    )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1000,
        Path(sys.argv[2] if len(sys.argv) > 2 else sysconfig.get_paths()["stdlib"]),
    )
