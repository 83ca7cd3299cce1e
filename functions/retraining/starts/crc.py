"""Pure: the CRC of an object, made of the CRCs of its parts.

n zero bytes behind a text multiply its CRC, as a polynomial, by x^(8n). The CRC of two texts in a row is that
product of the first one's CRC, plus the CRC of the second. Source: crc32_combine of zlib
(https://github.com/madler/zlib/blob/develop/crc32.c).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

POLYNOMIALS: Final = {"CRC32": 0xEDB88320, "CRC32C": 0x82F63B78}
"""The polynomials of S3's CRCs of 32 bits, reflected: the highest bit stands for x^0."""

ONE: Final = 1 << 31
"""x^0, reflected."""


def joined(name: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of texts in a row, made of each one's (CRC, size in bytes). CRCs are big-endian, in base64."""
    polynomial, total = POLYNOMIALS[name], 0
    for value, size in parts:
        crc = int.from_bytes(base64.b64decode(value), "big")
        total = _product(_power(8 * size, polynomial), total, polynomial) ^ crc
    return base64.b64encode(total.to_bytes(4, "big")).decode()


def _product(left: int, right: int, polynomial: int) -> int:
    """left · right modulo the polynomial."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ polynomial if right & 1 else right >> 1
    return product


@lru_cache(maxsize=64)
def _power(exponent: int, polynomial: int) -> int:
    """x^exponent modulo the polynomial."""
    power, square = ONE, ONE >> 1
    while exponent:
        if exponent & 1:
            power = _product(square, power, polynomial)
        square = _product(square, square, polynomial)
        exponent >>= 1
    return power
