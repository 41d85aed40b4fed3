"""A schedule's short text form: version, fingerprint of the code, and where it deviates from the plain one.

`1:9f04c1:AAEC…`: the deviations are numbers of 7 bits a byte (LEB128), compressed if that is shorter, with a checksum,
in base64 for URLs.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from headway.errors import UsageError

__all__ = ["GRANULARITIES", "Schedule", "decode", "encode"]

VERSION = 1
GRANULARITIES = ("sync", "access", "line", "opcode")
_FORM = re.compile(r"(\d+):([0-9a-f]{6}):([A-Za-z0-9_-]+)\Z")


@dataclass(frozen=True)
class Schedule:
    """The choices that fix one execution."""

    granularity: str
    deviations: Mapping[tuple[int, int], int]
    """(unit, its step) to the unit that goes on there; elsewhere the running unit goes on while it can."""
    fingerprint: str = "000000"
    """Of the code that was explored, 6 hex digits."""


def encode(schedule: Schedule) -> str:
    """The token of a schedule."""
    numbers = [GRANULARITIES.index(schedule.granularity)]
    last: dict[int, int] = {}
    for (unit, step), following in sorted(schedule.deviations.items()):
        numbers += [unit, step - last.get(unit, 0), following]
        last[unit] = step
    plain = b"".join(_leb128(number) for number in numbers)
    packed = zlib.compress(plain, 9)
    body = b"\1" + packed if len(packed) < len(plain) else b"\0" + plain
    body += binascii.crc_hqx(body, 0).to_bytes(2, "big")
    text = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    return f"{VERSION}:{schedule.fingerprint}:{text}"


def decode(token: str) -> Schedule:
    """The schedule of a token.

    Raises:
        UsageError: It is none, or of another version.
    """
    form = _FORM.match(token.strip())
    if form is None:
        raise UsageError(f"not a schedule token: {token!r}"[:200], hint="it looks like 1:9f04c1:AAECBQ")
    version, fingerprint, text = form.groups()
    if int(version) != VERSION:
        raise UsageError(
            f"the token is of version {version}, this headway writes and reads version {VERSION}"
        )
    damaged = UsageError(f"the token is damaged: {token!r}"[:200], hint="copy it whole; it holds a checksum")
    try:
        body = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        if len(body) < 3 or binascii.crc_hqx(body[:-2], 0) != int.from_bytes(body[-2:], "big"):
            raise damaged
        plain = body[1:-2]
        if body[0]:
            unpacking = zlib.decompressobj()
            plain = unpacking.decompress(plain, 10_000_000)
    except (binascii.Error, zlib.error):
        raise damaged from None
    numbers = _numbers(plain)
    if not numbers or len(numbers) % 3 != 1 or numbers[0] >= len(GRANULARITIES):
        raise damaged
    deviations: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    for place in range(1, len(numbers), 3):
        unit, step, following = numbers[place : place + 3]
        last[unit] = last.get(unit, 0) + step
        deviations[unit, last[unit]] = following
    return Schedule(GRANULARITIES[numbers[0]], deviations, fingerprint)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _numbers(data: bytes) -> list[int]:
    numbers = []
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            numbers.append(number)
            number = shift = 0
    return numbers
