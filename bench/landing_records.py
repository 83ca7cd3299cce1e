"""The messages of landed objects: what it takes to read them, and to handle them as one batch.

    python -m bench.landing_records

1,000 messages as S3 and EventBridge word them, of files of a model that waits for its marker: the batch makes
no request and calls nothing of AWS. The limit is `json.loads` of the same bytes.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

from bench.row import Row, at_most, cpu_seconds, print_rows
from retraining.collaborators import Collaborators
from retraining.starts import requests
from start_retraining import handler
from tests.functions.fakes import Context
from tests.functions.world import World

EVENTS: Final = Path(__file__).parents[1] / "events"
RECORDS: Final = 1_000
"""Messages that are read. Lambda hands over up to this many at a time (template.yaml)."""

TIMES: Final = 25
"""Runs of each call, a few milliseconds long."""


def records() -> list[dict[str, Any]]:
    """The records of Lambda's event: each a message about another file."""
    landed = json.loads((EVENTS / "object_landed.data.json").read_text())
    first, *_ = json.loads((EVENTS / "start_retraining.landing.json").read_text())["Records"]
    landed["detail"]["bucket"]["name"] = "data"
    found = []
    for number in range(RECORDS):
        landed["id"] = f"17793124-05d4-b198-2fde-{number:012}"
        landed["detail"]["object"] |= {
            "key": f"curated/titanic/train/part-{number:05}.csv",
            "version-id": f"IYV3p45BT0ac8hjHg1houSdS1a.{number:05}",
        }
        found.append(first | {"messageId": f"message-{number}", "body": json.dumps(landed)})
    return found


def rows() -> list[Row]:
    """Reading the messages, and handling them."""
    using, every = World.empty().using(Collaborators), records()
    bodies = [record["body"] for record in every]

    def handled() -> None:
        with redirect_stdout(io.StringIO()):  # a metric is a line of the log
            answer = handler({"Records": every}, Context(), using=using)
        if answer["batchItemFailures"] or using.sagemaker.executions:  # type: ignore[attr-defined]
            raise RuntimeError(f"the batch was not handled as expected: {answer}")

    used = cpu_seconds(
        {
            "limit": lambda: [json.loads(body) for body in bodies],
            "read": lambda: [requests.read(body, using) for body in bodies],
            "handled": handled,
        },
        TIMES,
    )
    ms = {name: 1_000 * seconds for name, seconds in used.items()}

    def row(name: str, ours: float, most: float) -> Row:
        ratio = ours / ms["limit"]
        return Row(name, ratio, "× `json.loads`", at_most(most), "CPU ms", ours, ms["limit"])

    return [
        row(f"{RECORDS:,} landing records read", ms["read"], 1.25),
        row(f"{RECORDS:,} landing records handled as a batch", ms["handled"], 1.6),
    ]


if __name__ == "__main__":
    print_rows(rows())
