"""Numbers in a page: columns that are packed, and unpacked by `page/columns.js`."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEVEL = 6


def pack(values: NDArray[Any]) -> dict[str, Any]:
    """Pack a column of unsigned integers.

    The bytes of the numbers are put together by their rank, all lowest ones first, which packs much better.

    Args:
        values: Shape (n,), dtype u1, u4 or u8.
    Returns:
        `bytes` of a number; `data`, base64 of a zlib stream.
    """
    wide = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
    planes = np.ascontiguousarray(wide.T)
    packed = zlib.compress(planes.tobytes(), _LEVEL)
    return {"bytes": values.dtype.itemsize, "data": base64.b64encode(packed).decode("ascii")}
