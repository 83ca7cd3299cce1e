"""Pure: what happened to an execution and its package, as a list of facts in the order of their times.

The list is made from the other keys of the evidence, and only grows: `appended` keeps every fact that the
copy of the evidence has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, get_args

from retraining.aws.pipelines import TERMINAL
from retraining.evidence.model import FactKind
from retraining.facts.package import PENDING

Json = dict[str, Any]

_ORDER: Final = {kind: place for place, kind in enumerate(get_args(FactKind))}
"""The order of facts of the same time."""

_IDENTITY: Final = ("at", "kind", "subject", "status", "by", "who")
"""What tells one fact from another. Its `why` may be worded differently later; the first wording stays."""


def appended(known: Iterable[Json], evidence: Json) -> list[Json]:
    """The known facts and those that the evidence adds, in the order of their times."""
    facts = {_identity(fact): fact for fact in (*_facts(evidence), *known)}  # what is known wins
    return sorted(facts.values(), key=lambda fact: (_time(fact["at"]), _ORDER.get(fact["kind"], len(_ORDER))))


def _identity(fact: Json) -> tuple[str | None, ...]:
    return tuple(fact.get(name) for name in _IDENTITY)


def _facts(evidence: Json) -> Iterator[Json]:
    yield from _of_the_start(evidence)
    yield from _of_the_steps(evidence)
    yield from _of_the_package(evidence)
    for told in evidence["notifications"]:
        yield _fact(told["at"], "notified", subject=told["id"], status=told["kind"])
        if told["kind"] == "rolled_back":
            yield _fact(told["at"], "rolledBack", subject=evidence["modelPackageArn"])


def _of_the_start(evidence: Json) -> Iterator[Json]:
    trigger = evidence["trigger"]
    for request in trigger["requests"]:
        landed = request["trigger"] == "landing"
        yield _fact(
            request["at"],
            "landed" if landed else "requested",
            subject=request.get("versionId") if landed else request["cause"],
            by=request["trigger"],
            who=request["requestedBy"],
        )
    if trigger["admittedAt"]:
        yield _fact(trigger["admittedAt"], "admitted", subject=trigger["startKey"])
    if evidence["startTime"]:
        yield _fact(
            evidence["startTime"], "started", subject=evidence["pipelineExecutionArn"], by=trigger["kind"]
        )


def _of_the_steps(evidence: Json) -> Iterator[Json]:
    ended = [step for step in evidence["steps"] if step["endTime"]]
    for step in ended:
        yield _fact(
            step["endTime"],
            "stepEnded",
            subject=step["name"],
            status=step["status"],
            why=step["failureReason"],
        )
    if ended and evidence["pipelineExecutionStatus"] in TERMINAL:
        yield _fact(
            max((step["endTime"] for step in ended), key=_time),
            "ended",
            subject=evidence["pipelineExecutionArn"],
            status=evidence["pipelineExecutionStatus"],
            why=evidence["failureReason"],
        )


def _of_the_package(evidence: Json) -> Iterator[Json]:
    package = evidence["modelPackageArn"]
    if evidence["registeredAt"]:
        yield _fact(evidence["registeredAt"], "registered", subject=package)
    yield from _verdicts(evidence)
    yield from _decisions(evidence)
    anchor = evidence["anchor"]
    for one in (*anchor["earlier"], anchor) if anchor else ():
        if one["modelPackageArn"] == package:
            yield _fact(
                one["setAt"],
                "anchored",
                subject=package,
                by=one["setBy"],
                who=one["setWho"],
                why=one["setWhy"],
            )


def _verdicts(evidence: Json) -> Iterator[Json]:
    found = [(item["takenAt"], item["verdict"], item.get("again")) for item in evidence["earlierVerdicts"]]
    if evidence["verdict"] and evidence["judgedAt"]:
        found.append((evidence["judgedAt"], evidence["verdict"], evidence["judgedAgain"]))
    for at, verdict, again in found:
        yield _fact(
            at,
            "judged",
            subject=evidence["modelPackageArn"],
            status=verdict["decision"],
            by="rules",
            who=again["by"] if again else None,
            why=next(iter(verdict["reasons"]), None),
        )


def _decisions(evidence: Json) -> Iterator[Json]:
    """Decisions that the package has shown. One that is taken and not written yet may still be taken back."""
    found = [*evidence["earlierDecisions"]]
    shown = evidence["modelApprovalStatus"]
    if evidence["decidedBy"] and shown in (None, evidence["decidedStatus"]):
        names = {"by": "decidedBy", "who": "decidedWho", "at": "decidedAt", "why": "decidedWhy"}
        stands = {name: evidence[key] for name, key in names.items()}
        found.append({**stands, "status": evidence["decidedStatus"] or shown})
    for one in found:
        yield _fact(
            one["at"],
            _kind(one),
            subject=evidence["modelPackageArn"],
            status=one["status"],
            by=one["by"],
            who=one.get("who"),
            why=one.get("why"),
        )


def _kind(decision: Json) -> FactKind:
    if decision["status"] == PENDING:
        return "setBack"
    return "superseded" if decision["by"] == "superseded" else "decided"


def _fact(
    at: str,
    kind: FactKind,
    *,
    subject: str | None = None,
    status: str | None = None,
    by: str | None = None,
    who: str | None = None,
    why: str | None = None,
) -> Json:
    told = {"subject": subject, "status": status, "by": by, "who": who, "why": why or None}
    return {"at": _time(at).isoformat(), "kind": kind, **told}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
