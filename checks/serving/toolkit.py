"""Asks the serving code of SageMaker's scikit-learn image, which runs in .venv-serving, for answers."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self

from local.images.environments import locked

ROOT: Final = Path(__file__).parents[2]

LOCK: Final = ROOT / "requirements" / "serving.txt"
"""The packages of the environment. One of them has a part in C, so a compiler is needed."""

Kind = Literal["single", "multi"]
"""An endpoint with one model, which is also what batch transform uses, or an endpoint with many models."""


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    type: str
    body: str

    @property
    def error(self) -> str:
        """What the body of a refusal says."""
        found: str = json.loads(self.body.splitlines()[0])["error"]
        return found


def request(body: str | bytes, content_type: str | None, accept: str | None = None) -> dict[str, Any]:
    """A request as server.py takes it."""
    data = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": content_type, "Accept": accept}
    given = {name: value for name, value in headers.items() if value is not None}
    return {"headers": given, "body": base64.b64encode(data).decode()}


def environment() -> Path:
    """The Python of .venv-serving, which is made if requirements/serving.txt is newer.

    Others that ask meanwhile wait. Python compiles what it imports, a quarter of all that is installed.
    """
    folder = ROOT / ".venv-serving"
    done = folder / ".installed"
    with locked(ROOT / ".handsoff" / "serving.lock"):
        if not done.exists() or done.stat().st_mtime < LOCK.stat().st_mtime:
            uv = [str(Path(sys.executable).with_name("uv")), "--quiet"]
            sync = ("pip", "sync", "--require-hashes", "--python", str(folder), str(LOCK))
            subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
            subprocess.run([*uv, *sync], check=True, timeout=600)
            done.touch()
    return folder / "bin" / "python"


class Server:
    """The server in a process of its own. It answers requests, as `request` makes them, one by one."""

    def __init__(self, python: Path, artifact: Path, kind: Kind) -> None:
        self.kind = kind
        script = Path(__file__).with_name("server.py")
        self.process = subprocess.Popen(
            [str(python), str(script), str(artifact), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate(timeout=60)
        if self.process.returncode != 0 and error is None:
            raise RuntimeError(f"the server ended with exit code {self.process.returncode}")

    def answers(self, requests: list[dict[str, Any]]) -> list[Answer]:
        """The answer to each request. Raises RuntimeError if the server has ended."""
        assert self.process.stdin is not None  # nosec B101 # noqa: S101 - it is a pipe
        assert self.process.stdout is not None  # nosec B101 # noqa: S101 - it is a pipe
        found = []
        for item in requests:
            self.process.stdin.write(json.dumps(item) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the server has ended: its error is above")
            found.append(Answer(**json.loads(line)))
        return found
