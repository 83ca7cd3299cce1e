"""Hashes of many texts or numbers at once, the same that `pandas.util.hash_array` computes.

They do without pandas, of which the import takes as long as reading some hundred thousand rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from hidden_pandas import shown
from job import Array

CHUNK: Final = 16384
"""Texts that are hashed together: their state fits into the processor's cache."""

LONG: Final = 1024
"""Bytes from which a text is hashed by pandas: here 8 bytes of the longest text take fifty calls of numpy."""

_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def mixed(bits: Array, spare: Array | None = None) -> Array:
    """The numbers of 64 bits, mixed in place, so that similar ones become far apart. `spare` is overwritten.

    It is the mixing function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
    Generators, 2014).
    """
    shifted = np.right_shift(bits, np.uint64(30), out=spare)
    bits ^= shifted
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= np.right_shift(bits, np.uint64(27), out=shifted)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= np.right_shift(bits, np.uint64(31), out=shifted)
    return bits


def of_texts(texts: pa.Array, key: str) -> Array:
    """The hash of each of n texts, uint64. `key` has 16 signs of ASCII. No text is null.

    It is SipHash-2-4 of UTF-8 (Aumasson and Bernstein: SipHash, a fast short-input PRF, 2012), mixed.
    """
    texts = pa.concat_arrays([texts])  # begins at its buffers' begin
    _, offsets, data = texts.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[: len(texts) + 1].astype(np.int64)
    lengths = np.diff(begins)
    padded = np.zeros(int(begins[-1]) + 8, dtype=np.uint8)
    if data is not None:
        padded[:-8] = np.frombuffer(data, dtype=np.uint8)[: begins[-1]]
    words = np.ndarray(len(padded) - 7, dtype="<u8", buffer=padded.data, strides=(1,))
    found = np.empty(len(texts), dtype=np.uint64)
    short = np.flatnonzero(lengths < LONG)
    order = short[np.argsort(-lengths[short], kind="stable")]
    for start in range(0, len(order), CHUNK):
        which = order[start : start + CHUNK]
        found[which] = mixed(_siphash(words, begins[which], lengths[which], key.encode()))
    if len(short) < len(texts):
        found[lengths >= LONG] = _of_long(texts.filter(pa.array(lengths >= LONG)), key)
    return found


def _siphash(words: Array, begins: Array, lengths: Array, key: bytes) -> Array:
    """SipHash of texts that begin at these bytes, longest first. `words` has 8 bytes from each byte on."""
    keys = np.frombuffer(key, dtype="<u8")
    state = np.empty((4, len(begins)), dtype=np.uint64)
    for row, (start, part) in enumerate(zip(_START, (*keys, *keys), strict=True)):
        state[row] = np.uint64(start) ^ part
    last = lengths // 8
    for step in range(int(last[0]) + 1):
        there = state[:, : np.searchsorted(-last, -step, side="right")]  # texts that have so many words
        count = there.shape[1]
        word = words[begins[:count] + 8 * step]
        ends = last[:count] == step
        length = lengths[:count][ends].astype(np.uint64)
        rest = np.uint64(8) * (length % np.uint64(8))
        word[ends] = word[ends] & ((np.uint64(1) << rest) - np.uint64(1)) | length << np.uint64(56)
        there[3] ^= word
        _rounds(there, 2)
        there[0] ^= word
    state[2] ^= np.uint64(0xFF)
    _rounds(state, 4)
    return np.asarray(np.bitwise_xor.reduce(state))


def _rounds(state: Array, times: int) -> None:
    """That many SipRounds of the state (4 x k), in place."""
    a, b, c, d = state
    spare = np.empty_like(a)
    for _ in range(times):
        a += b
        _turn(b, 13, spare)
        b ^= a
        _turn(a, 32, spare)
        c += d
        _turn(d, 16, spare)
        d ^= c
        a += d
        _turn(d, 21, spare)
        d ^= a
        c += b
        _turn(b, 17, spare)
        b ^= c
        _turn(c, 32, spare)


def _turn(bits: Array, places: int, spare: Array) -> None:
    """Rotate 64 bits to the left, in place."""
    np.right_shift(bits, np.uint64(64 - places), out=spare)
    np.left_shift(bits, np.uint64(places), out=bits)
    bits |= spare


def _of_long(texts: pa.Array, key: str) -> Array:
    with shown():
        import pandas as pd  # here, because it takes a third of a second

    values = texts.to_numpy(zero_copy_only=False)
    return np.asarray(pd.util.hash_array(values, hash_key=key, categorize=False), dtype=np.uint64)
