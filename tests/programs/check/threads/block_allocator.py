"""A file system guards each inode with its own lock, but the table of free blocks is common to all.

Inode 0's thread finds block 0 free; inode 1's thread, under another lock, finds it free, too. Both mark it, and two
files share a block.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench fsbench_bad; Flanagan, Godefroid, POPL 2005"


class Disk:
    def __init__(self, inodes: int, blocks: int) -> None:
        self.inode_locks = [threading.Lock() for _ in range(inodes)]
        self.inodes: list[int | None] = [None] * inodes
        self.busy = [False] * blocks

    def allocate(self, inode: int) -> None:
        with self.inode_locks[inode]:
            if self.inodes[inode] is not None:
                return
            for block in range(len(self.busy)):
                if not self.busy[block]:
                    self.busy[block] = True
                    self.inodes[inode] = block
                    return


def scenario() -> None:
    disk = Disk(inodes=2, blocks=3)
    threads = [threading.Thread(target=disk.allocate, args=(inode,)) for inode in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.inodes[0] != disk.inodes[1]
