"""Write data/churn.csv: customers of a phone company, several rows of each, and who left.

    python make_data.py [FOLDER]

It needs nothing but Python. Each customer is seen in some months. Those with many calls, a monthly contract
and a high price leave more often, and so do new ones. The seed is fixed: the file always has the same bytes.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Final

CUSTOMERS: Final = 900
"""Customers; each has one to four rows."""

SEED: Final = 7

COLUMNS: Final = (
    "customer",
    "seen",
    "joined",
    "plan",
    "contract",
    "months",
    "price",
    "calls",
    "gigabytes",
    "paperless",
    "left",
)
"""The columns of the file. `left` is the target, `customer` the group, `seen` and `joined` are dates."""

PRICES: Final = {"basic": 18.0, "family": 34.0, "unlimited": 52.0}
"""The mean price of each plan, in euros a month."""


def rows_of(customer: int, chance: random.Random) -> list[list[str]]:
    """The rows of one customer, one for each month in which the customer was seen."""
    joined = date(2021, 1, 1) + timedelta(days=chance.randrange(1500))
    plan = chance.choices(list(PRICES), weights=(5, 3, 2))[0]
    contract = chance.choices(["monthly", "yearly"], weights=(3, 2))[0]
    price = max(8.0, chance.gauss(PRICES[plan], 5.0))
    paperless = chance.random() < 0.6
    patience = chance.gauss(0.0, 0.7)
    rows = []
    for month in range(chance.randint(1, 4)):
        seen = date(2025, 3, 1) + timedelta(days=31 * month + chance.randrange(28))
        months = (seen - joined).days / 30.4
        calls = int(chance.expovariate(1 / (1.6 if contract == "yearly" else 2.4)))
        gigabytes = max(0.0, chance.gauss(9.0 if plan == "unlimited" else 4.0, 3.0))
        score = -2.6 + 0.75 * calls + 1.5 * (contract == "monthly") + 0.05 * (price - PRICES[plan])
        score += 1.4 * math.exp(-months / 8) - 0.5 * (gigabytes > 6) - patience
        left = chance.random() < 1 / (1 + math.exp(-score))
        rows.append(
            [
                f"c{customer:05}",
                seen.isoformat(),
                joined.isoformat(),
                plan,
                contract,
                f"{months:.1f}",
                f"{price:.2f}",
                str(calls),
                "" if chance.random() < 0.05 else f"{gigabytes:.1f}",
                "yes" if paperless else "no",
                "yes" if left else "no",
            ]
        )
    return rows


def main(folder: Path) -> None:
    """Write the file below `folder`."""
    chance = random.Random(SEED)  # noqa: S311 # nothing is secret
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "churn.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for customer in range(CUSTOMERS):
            writer.writerows(rows_of(customer, chance))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
