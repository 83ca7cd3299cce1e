"""Plays cases and counts what must not be: answers of 5xx, and decisions that were not asked for."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.cases import Case, Cases
from tests.fuzz.place import Place

KEPT = 20
"""Findings of each kind that are kept in words."""


@dataclass
class Found:
    """What came of the cases: requests by route, and in words each failure and each unasked decision."""

    seed: int
    requests: Counter[str] = field(default_factory=Counter)
    decided: int = 0
    failures: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    """Unsigned requests to AWS on this machine that read or changed something."""

    @property
    def clean(self) -> bool:
        return not self.failures and not self.unasked and not self.served

    def note(self, into: list[str], case: Case, number: int, what: str) -> None:
        """Keep a finding, with what is needed to play it again."""
        into.append(f"seed {self.seed}, case {number}, {case.route} ({case.what}): {what}")

    def last_lines(self) -> str:
        """The findings, and last the counts."""
        lines = [*self.failures[:KEPT], *self.unasked[:KEPT], *self.served[:KEPT]]
        by_route = ", ".join(f"{route} {count:,}" for route, count in sorted(self.requests.items()))
        lines.append(f"requests by route: {by_route}; decisions asked for and taken: {self.decided:,}")
        counts = f"5xx = {len(self.failures)}, decisions not asked for = {len(self.unasked)}"
        lines.append(f"{counts}, unsigned requests served = {len(self.served)}")
        return "\n".join(lines)


def play(seed: int, go_on: Callable[[int], bool], found: Found | None = None) -> Found:
    """Play the cases of a seed while `go_on` says so, of the number of cases so far."""
    found = found or Found(seed)
    place = Place()
    cases = Cases(random.Random(seed), place)
    with quiet():
        while go_on(sum(found.requests.values())):
            number = sum(found.requests.values())
            _play(cases.one(), number, place, found)
    return found


def _play(case: Case, number: int, place: Place, found: Found) -> None:
    found.requests[case.route] += 1
    try:
        if case.direct:
            _invoke(place, case)
        elif problem := uncarriable(place.http(case.event)):
            found.note(found.failures, case, number, problem)
    except Exception as error:
        found.note(found.failures, case, number, f"raised {type(error).__name__}: {error}"[:300])
    decided = place.decided
    if decided == ((case.asks, case.asks) if case.asks else ()):
        found.decided += bool(case.asks)
    else:
        found.note(found.unasked, case, number, f"asked for {case.asks}, and there is {decided}")
    if decided:
        place.reset()


def _invoke(place: Place, case: Case) -> None:
    """Invoke notify_slack. An error is no answer of 5xx there: the event is tried again, and kept."""
    try:
        place.invoke(case.event)
    except Exception:
        return


def uncarriable(answer: dict[str, Any]) -> str | None:
    """Why Lambda or a browser would make 5xx of this answer; None if they would not."""
    status, headers, body = answer.get("statusCode"), answer.get("headers"), answer.get("body")
    if not isinstance(status, int) or not 200 <= status < 500:
        return f"status {status}"
    if not isinstance(headers, dict) or not isinstance(body, str):
        return "no headers or no body"
    for name, value in headers.items():
        if not (isinstance(value, str) and value.isascii() and value.isprintable() and name.isprintable()):
            return f"header {name} is {value!r}"[:200]
    try:
        json.dumps(answer).encode()
        body.encode()
    except ValueError as error:
        return f"cannot be sent: {error}"[:200]
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Without the functions' logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
