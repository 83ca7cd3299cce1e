"""The journal of IAM's decisions: JSON lines in the server's folder, each distinct decision once.

    {"principal": "arn:aws:sts::…", "action": "s3:GetObject", "resource": "arn:…", "region": "us-east-1",
     "context": {"s3:prefix": "…"}, "decision": "Allow"}

`principal` is a user, a role's session or a service. `decision` is Allow, Deny, ImplicitDeny, or the error
code for invalid credentials. Calls of the administrator (root) are not evaluated and not recorded.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "iam.jsonl"
"""The journal's file in the server's folder."""

MAX_LINES: Final = 50_000
"""Lines of the journal, about 15 MB. After them only refusals are written, up to twice as many lines."""


class Journal:
    """Appends decisions to the file `path`. Thread-safe."""

    def __init__(self, path: Path, max_lines: int = MAX_LINES) -> None:
        self._path, self._max_lines = path, max_lines
        self._known: set[int] = set()
        self._lock = threading.Lock()
        path.touch(mode=0o600)

    def record(
        self,
        principal: str,
        action: str,
        resource: str,
        *,
        region: str,
        context: Mapping[str, Any],
        decision: str,
    ) -> None:
        """Write a decision, unless the file has an equal one."""
        present = {name: value for name, value in sorted(context.items()) if value is not None}
        line = json.dumps(
            {
                "principal": principal,
                "action": action,
                "resource": resource,
                "region": region,
                "context": present,
                "decision": decision,
            },
            default=str,
        )
        known = hash(line)
        with self._lock:
            room = self._max_lines * (1 if decision == "Allow" else 2)
            if known in self._known or len(self._known) >= room:
                return
            self._known.add(known)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """The entries of the journal of the server in `folder`, in the order in which they were first made."""
    lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
