"""Numbers in a page: columns that are packed, and unpacked by `page/columns.js`."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEVEL = 6


def pack(values: NDArray[Any]) -> dict[str, Any]:
    """Pack a column of numbers.

    Of each number as many bytes are kept as the largest needs. The bytes are put together by their rank, all lowest
    ones first, which packs much better.

    Args:
        values: Shape (n,), of any integer dtype; none is negative.
    Returns:
        `bytes` of a number, 0 if all are 0; `data`, base64 of a zlib stream.
    """
    most = int(values.max(initial=0))
    kept = (most.bit_length() + 7) // 8
    if kept == 0:
        return {"bytes": 0, "data": ""}
    wide = np.ascontiguousarray(values, "<u8").view(np.uint8).reshape(len(values), 8)
    packed = zlib.compress(np.ascontiguousarray(wide[:, :kept].T).tobytes(), _LEVEL)
    return {"bytes": kept, "data": base64.b64encode(packed).decode("ascii")}
