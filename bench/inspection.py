"""How long the inspection of one file takes, for hostile files of one size and of twice that size.

    python bench/inspection.py [--bytes 32768]

Prints a table: the milliseconds of both, and their ratio. A ratio near 2 is linear work, near 4 quadratic.
Then the seconds of a batch of many gzip files: at most those of 64 MB of text, and above 1,024 files of 64 KB
each.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from retraining.config.schema import parse_config
from retraining.starts.inspection import inspect
from retraining.starts.inspection.heads import MAX_HEAD_BYTES, head_bytes

CONFIG = parse_config(
    yaml.safe_load((Path(__file__).parents[1] / "handsoff.yaml").read_text()), source="handsoff.yaml"
).models["titanic"]
HEADER = b"pclass,survived,sex,age,sibsp,parch,fare,embarked\n"
ROW = b"1,1,female,29,0,0,211.3,S\n"

NOTED = b"note," + HEADER
QUOTED = b'"5\\" pipe, used",' + ROW

FILES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "good rows": ("csv", lambda size: HEADER + ROW * (size // len(ROW))),
    "no line break": ("csv", lambda size: b"1," * (size // 2)),
    "distinct columns": ("csv", lambda size: b",".join(b"%07d" % n for n in range(size // 8)) + b"\n"),
    "equal columns": ("csv", lambda size: b"a," * (size // 2) + b"\n"),
    "one long name": ("csv", lambda size: b"a" * size + b"\n1\n"),
    "backslash quotes": ("csv", lambda size: NOTED + QUOTED * (size // len(QUOTED))),
    "begun quotes": ("csv", lambda size: HEADER + b'"\\",' * (size // 4)),
    "escaped quotes": ("csv", lambda size: HEADER + b'"' + b'\\"' * (size // 2)),
    "numbers of commas": ("csv", lambda size: HEADER + ROW.replace(b"29", b"1,234" * (size // 6))),
    "endless quote": ("csv", lambda size: HEADER + b'"' + b"\n" * size),
    "empty lines": ("csv", lambda size: HEADER + b"\n" * size),
    "digits, then a letter": ("csv", lambda size: HEADER + ROW + ROW.replace(b"29", b"1" * size + b"x")),
    "digits": ("csv", lambda size: HEADER + ROW + ROW.replace(b"29", b"0." + b"1" * size) * 2),
    "spaces": ("csv", lambda size: HEADER + ROW + ROW.replace(b"29", b" " * size) * 2),
    "wide": (
        "csv",
        lambda size: (
            HEADER.strip()
            + b"".join(b",%05d" % n for n in range(size // 8))
            + b"\n"
            + ROW.strip()
            + b",7" * (size // 8)
            + b"\n"
        ),
    ),
    "gzip members": ("csv.gz", lambda size: gzip.compress(b"") * (size // 20)),
    "gzip bomb": ("csv.gz", lambda size: gzip.compress(HEADER + ROW * (size * 4))[:size]),
}
"""Kinds of files: the ending of the name, and the bytes of a file of about this size."""


def many_seconds(files: int) -> float:
    """The CPU time of as many gzip files of one batch, as it is for one of them."""
    body = gzip.compress(HEADER + ROW * (2_000_000 // len(ROW)))
    asked = head_bytes(files)
    began = time.process_time()
    inspect(body[:asked], len(body), "train/a.csv.gz", CONFIG, asked=asked)
    return files * (time.process_time() - began)


def seconds(name: str, body: bytes) -> float:
    """The CPU time of the fastest of five inspections."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        inspect(body, len(body), name, CONFIG, asked=MAX_HEAD_BYTES)
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=32 * 1024)
    size = parser.parse_args().bytes
    print(f"{'file':<24}{size:>10} B{2 * size:>10} B   ratio")
    for kind, (ending, make) in FILES.items():
        once, twice = (seconds(f"train/a.{ending}", make(length)) for length in (size, 2 * size))
        print(f"{kind:<24}{once * 1000:>9.2f} ms{twice * 1000:>9.2f} ms   {twice / once:.1f}")
    for files in (64, 640, 6_400):
        print(f"{files:,} gzip files: {many_seconds(files):.1f} s")


if __name__ == "__main__":
    main()
