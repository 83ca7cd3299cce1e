"""The first answer of the review page: from an empty process to the rendered page of a candidate.

    python -m bench.review_page

Builds functions and layer as `bench.functions` does. A process imports the handler, makes the clients that
the page needs, and answers one request about a candidate of an account in memory; making that account is not
in the number. The limit imports pydantic, Jinja and what signs a request.
"""

from __future__ import annotations

import sysconfig
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from bench.functions import ENVIRONMENT, LIMIT, build
from bench.row import Row, at_most, measured, print_rows

ROOT: Final = Path(__file__).parents[1]

ANSWER: Final = """
import review_candidate
from retraining.aws.clients import client
for service in ("secretsmanager", "ssm", "dynamodb", "sagemaker", "s3"):
    client(service).meta
before = time.process_time()
from tests.review.stage import Stage
stage = Stage()
began = time.process_time()
answer = stage.get()
assert answer["statusCode"] == 200, answer
spent = before + time.process_time() - began
"""

REASON: Final = "with SnapStart, a snapshot holds imports, clients, models and templates"
"""What the number leaves out."""


def rows() -> list[Row]:
    """The first answer."""
    with tempfile.TemporaryDirectory() as folder:
        python = build(Path(folder))
        built = [f"{folder}/code", f"{folder}/layer/python"]
        others = [str(ROOT), sysconfig.get_path("purelib")]  # the account in memory, which needs PyYAML

        def seconds(code: str, paths: list[str]) -> float:
            path = f"import sys, time; sys.path[:0] = {built!r}; sys.path += {paths!r}\n"
            program = [python, "-S", "-E", "-s", "-c", f"{path}{code}\nprint(spent)"]
            return float(measured(program, 1, env=ENVIRONMENT, cwd=ROOT).output.splitlines()[-1])

        pairs = [
            (seconds(ANSWER, others), seconds(f"{LIMIT}\nimport jinja2\nspent = time.process_time()", []))
            for _ in range(5)
        ]
    ours, limit = (median(values) for values in zip(*pairs, strict=True))
    unit = "× pydantic, Jinja and a signed request"
    return [
        Row("review page, first answer", ours / limit, unit, at_most(4), "CPU s", ours, limit, reason=REASON)
    ]


if __name__ == "__main__":
    print_rows(rows())
