"""Imports and clients of a function: what Lambda does before the first event, and the clients of that event.

    python -m bench.functions

Builds functions and layer as `sam build` does, for the template's Python, and starts each handler with
nothing else on the path. A process imports the handler and makes the clients that its usual event needs. A
second row of a function also has what that event imports while it is handled, such as what draws a report.
The limit imports pydantic and what signs and sends a request. Others: the same code and packages as a plain
build leaves them, without byte-code and with all of botocore's data. No process takes its interpreter down at
its end: Lambda does so only when it throws the function's environment away.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.row import Row, alternating, at_least, at_most, print_rows

ROOT: Final = Path(__file__).parents[1]
VERSION: Final = "3.13"
"""The Python of the template's parameter Runtime."""

CLIENTS: Final = {
    "start_retraining": ("ssm", "ledger", "s3", "sagemaker"),
    "track_execution": ("ledger", "sagemaker", "logs"),
    "judge_candidate": ("ssm", "ledger", "s3", "sagemaker", "sns"),
    "record_decision": ("ssm", "ledger", "s3", "sagemaker", "sns", "events"),
    "reconcile": ("ssm", "ledger", "s3", "sagemaker"),
    "review_candidate": ("ssm", "ledger", "s3", "sagemaker"),
    "notify_slack": ("ssm", "ledger", "sagemaker"),
}
"""The clients that the usual event of each function calls, as attributes of its collaborators."""

LATER: Final = {
    "judge_candidate": ("retraining.report.making",),
    "record_decision": ("retraining.report.making",),
}
"""What a usual event imports while it is handled: the last thing that these two make is a report."""

MISSED: Final = (
    "pydantic, botocore and its clients alone are 1.8 times the limit; it needs a client of our own"
)
"""Why a function misses the goal."""

LIMIT: Final = """
import pydantic, hmac, hashlib, http.client, json
class One(pydantic.BaseModel):
    one: int
One(one=1)
"""

ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"), "true"),
    "PREFIX": "handsoff",
    "DATA_BUCKET": "b",
    "LEDGER_TABLE": "t",
    "NOTIFICATIONS_TOPIC": "arn:aws:sns:us-east-1:123456789012:t",
    "POWERTOOLS_SERVICE_NAME": "handsoff",
}


def first(handler: str, *later: str) -> str:
    """The program of a function's process up to its first call of AWS, and imports of these modules."""
    paths = {"ssm": "configs._ssm._ssm", "ledger": "ledger._items._table._client"}
    used = "; ".join(f"using.{paths.get(name, name)}.meta" for name in CLIENTS[handler])
    made = "from retraining.collaborators import Collaborators\nusing = Collaborators.real()"
    return "\n".join((f"import {handler}", made, used, *(f"import {name}" for name in later)))


def build(to: Path) -> str:
    """Build functions and layer below `to`, and the others'; the path of the Python that all are for."""
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HANDSOFF_RUNTIME": f"python{VERSION}",
        "HANDSOFF_ARCHITECTURE": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
        "PYENV_VERSION": VERSION,
    }
    for folder, target, name in (
        ("functions", "build-StartRetraining", "code"),
        ("layers/dependencies", "build-Dependencies", "layer"),
    ):
        (to / name).mkdir()
        command = ["make", "-s", "-C", str(ROOT / folder), target, f"ARTIFACTS_DIR={to / name}"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    plain = f"uv pip install -q --require-hashes --only-binary :all: --python-version {VERSION} --target"
    packages = [to / "plain-layer", "--requirement", ROOT / "layers" / "dependencies" / "requirements.txt"]
    subprocess.run([*plain.split(), *map(str, packages)], env=environment, check=True)
    shutil.copytree(to / "code", to / "plain-code", ignore=shutil.ignore_patterns("__pycache__"))
    find = ["uv", "python", "find", "--no-project", VERSION]
    return subprocess.check_output(find, env=environment, text=True).strip()


def rows() -> list[Row]:
    """One row a function, one without byte-code, one of the size."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder)
        python = build(to)
        ours, plain = [to / "code", to / "layer" / "python"], [to / "plain-code", to / "plain-layer"]

        def process(code: str, paths: list[Path], *flags: str) -> list[str]:
            path = f"import os, sys; sys.path[:0] = {[str(one) for one in paths]!r}\n"
            return [python, "-S", "-E", "-s", *flags, "-c", f"{path}{code}\nos._exit(0)"]

        programs = {handler: process(first(handler), ours) for handler in CLIENTS}
        later = {
            f"{handler} and its report": process(first(handler, *LATER[handler]), ours) for handler in LATER
        }
        programs |= later
        programs["limit"] = process(LIMIT, ours)
        programs["plain"] = process(first("judge_candidate"), plain, "-B")
        used = {name: use.cpu for name, use in alternating(programs, 7, env=ENVIRONMENT, cwd=to).items()}
        files = [path for part in ("code", "layer") for path in (to / part).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 2**20
    limit, judge, others = used["limit"], used["judge_candidate"], used["plain"]
    unit = "× pydantic and a signed request"
    compared = [
        Row(
            f"{name}, imports and clients", used[name] / limit, unit, at_most(1.9), "CPU s", used[name], limit
        )
        for name in (*CLIENTS, *later)
    ]
    plainly = "judge_candidate as a plain build leaves it"
    return [
        *(row if row.met else replace(row, reason=MISSED) for row in compared),
        Row(plainly, others / judge, "× ours", at_least(3), "CPU s", judge, limit, others),
        Row("functions and layer, unzipped", size, "MB", at_most(40), "MB", size),
    ]


if __name__ == "__main__":
    print_rows(rows())
