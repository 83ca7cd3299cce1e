"""What IAM was asked and what it answered, as JSON lines in the server's folder: each answer once.

    {"principal": "arn:aws:sts::…", "action": "s3:GetObject", "resource": "arn:…", "region": "us-east-1",
     "context": {"s3:prefix": "…"}, "decision": "Allow"}

`principal` is a user, a role's session or a service. `decision` is Allow, Deny, ImplicitDeny, or the error
code of credentials that are none. What the administrator does (root) is not evaluated, so not here.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "iam.jsonl"
LONGEST: Final = 50_000
"""Lines, about 15 MB. Beyond them only denials are written, as many again."""


class Journal:
    """Appends to the file as things are decided. Thread-safe."""

    def __init__(self, path: Path, longest: int = LONGEST) -> None:
        self._path, self._longest = path, longest
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
        """Write the answer down, unless the same stands there."""
        given = {name: value for name, value in sorted(context.items()) if value is not None}
        line = json.dumps(
            {
                "principal": principal,
                "action": action,
                "resource": resource,
                "region": region,
                "context": given,
                "decision": decision,
            },
            default=str,
        )
        known = hash(line)
        with self._lock:
            room = self._longest * (1 if decision == "Allow" else 2)
            if known in self._known or len(self._known) >= room:
                return
            self._known.add(known)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """All that stands in the journal of the server in `folder`, in the order in which it first happened."""
    lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
