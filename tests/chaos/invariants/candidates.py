"""Invariants of candidates, decisions and what people are told."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retraining.facts import keys
from tests.chaos.slack import APPROVER, NAME

if TYPE_CHECKING:
    from tests.chaos.runner import Run

PENDING = "PendingManualApproval"
DECISION = keys.decision("").text


def _packages(run: Run) -> Iterator[tuple[str, str, dict[str, Any], set[str]]]:
    """Each package: its ARN, its model, what the registry says, and the kinds of notifications about it."""
    told = defaultdict(set)
    for message in run.account.topic.taken:
        told[message.body["modelPackageArn"]].add(message.body["kind"])
    for arn, it in run.account.sagemaker.packages.items():
        yield arn, it["ModelPackageGroupName"].removeprefix("handsoff-"), it, told[arn]


def every_candidate_is_judged_or_told(run: Run) -> Iterator[str]:
    """A package that waits has a verdict that is carried out, and somebody was told of it."""
    for arn, _, it, told in _packages(run):
        if it["ModelApprovalStatus"] != PENDING or "candidate_blocked" in told:
            continue
        verdict = run.account.ledger.get(keys.verdict(arn))
        decided = run.account.ledger.get(keys.decision(arn))
        if decided is None and (verdict is None or verdict.done_at is None):
            yield f"{arn[-20:]} waits without a verdict, untold"
        elif "waiting" not in told:
            yield f"{arn[-20:]} waits, and nobody was told"


def no_candidate_waits_for_ever(run: Run) -> Iterator[str]:
    """At the end, hours after all waiting times, a package is decided, or it is told that it cannot be."""
    for arn, _, it, told in _packages(run):
        if it["ModelApprovalStatus"] == PENDING and "candidate_blocked" not in told:
            yield f"{arn[-20:]} still waits after all its time"


def every_decision_is_recorded(run: Run) -> Iterator[str]:
    """A decided package has that decision in the ledger, recorded; it is told, and in the evidence."""
    for arn, model, it, told in _packages(run):
        status = it["ModelApprovalStatus"]
        if status == PENDING:
            continue
        fact = run.account.ledger.get(keys.decision(arn))
        if fact is None or fact.status != status or fact.recorded_at is None:
            said = f"{fact.status}, recorded {fact.recorded_at}" if fact else "nothing"
            yield f"{arn[-20:]} is {status}: the ledger says {said}"
        if {"Approved": "approved", "Rejected": "rejected"}[status] not in told:
            yield f"{arn[-20:]} is {status}, and nobody was told"
        execution = it["CustomerMetadataProperties"]["execution"]
        text = run.account.bucket.text(f"evidence/{model}/{execution.rsplit('/', 1)[-1]}/evidence.json")
        same = text is not None and json.loads(text)["modelApprovalStatus"] == status
        if not same and execution not in run.account.sagemaker.deleted:
            yield f"{arn[-20:]} is {status}: its evidence {'says otherwise' if text else 'is missing'}"


def only_approvers_decide_in_slack(run: Run) -> Iterator[str]:
    """A decision that was pressed in Slack was pressed by an approver, and Slack had signed the press."""
    for fact, item in run.account.table.items.items():
        if fact.startswith(DECISION) and item.get("by") == "slack" and item["who"] != f"{APPROVER} ({NAME})":
            yield f"{fact[-20:]} was decided in Slack by {item['who']}"


def nothing_expires_without_a_reminder(run: Run) -> Iterator[str]:
    """A candidate that was rejected because nobody decided had been reminded of before."""
    reminded: dict[str, float] = {}
    for it in run.account.topic.taken:
        if it.body["kind"] == "overdue":
            reminded.setdefault(it.body["modelPackageArn"], it.at)
        expired = it.body["kind"] == "rejected" and it.body["decidedBy"] == "expired"
        if expired and reminded.get(it.body["modelPackageArn"], it.at) >= it.at:
            yield f"{it.body['modelPackageArn'][-20:]} expired without a reminder"


def one_id_for_each_fact(run: Run) -> Iterator[str]:
    """A failure, a stop, a decision, a wait and a reminder are told under one id each, however often."""
    ids = defaultdict(set)
    for it in run.account.topic.taken:
        subject = it.body["modelPackageArn"] or it.body["executionArn"]
        ids[it.body["kind"], subject].add(it.body["notificationId"])
    statuses: Counter[tuple[str, str]] = run.account.sagemaker.statuses
    for (kind, subject), found in ids.items():
        if kind in ("execution_failed", "execution_stopped"):
            status = kind.removeprefix("execution_").title()
            most = sum(end == status for _, end in run.account.sagemaker.trained[subject].ends)
        elif kind in ("approved", "rejected"):
            most = max(1, statuses[subject, kind.title()])
        elif kind == "waiting":
            most = 1 + statuses[subject, PENDING]
        elif kind == "overdue":  # told anew where the time that it names has changed, or once it is judged
            model = subject.split("handsoff-")[-1].split("/")[0]
            blocked = ("candidate_blocked", subject) in ids
            most = 1 + statuses[subject, PENDING] + run.people.changed[model] + blocked
        else:
            continue
        if len(found) > most:
            yield f"{kind} of {subject[-20:]} was told under {len(found)} ids; {most} happened"


def all_that_is_told_reaches_slack(run: Run) -> Iterator[str]:
    """Every notification is told in Slack in the end, however long Slack was away."""
    for identity in {it.body["notificationId"]: None for it in run.account.topic.taken}:
        claim = run.account.ledger.get(keys.slack_notification(identity))
        if claim is None or claim.state != "done":
            found = next(it for it in run.account.topic.taken if it.body["notificationId"] == identity)
            yield f"{found.body['kind']} of {found.body['model']} at {found.at:.0f} s never reached Slack"


def what_is_approved_has_earned_it(run: Run) -> Iterator[str]:
    """A package that the rules approved has an evaluation of its own execution that meets the rules.

    Two packages of a group, both approved beside the same champion, are one too many.
    """
    beside: dict[tuple[str, str | None], str] = {}
    touched = {
        arn.rsplit("/", 1)[0] for arn, status in run.account.sagemaker.statuses if status != "Approved"
    }
    for arn, model, it, _ in _packages(run):
        decision = run.account.ledger.get(keys.decision(arn))
        if it["ModelApprovalStatus"] != "Approved" or decision is None or decision.by != "rules":
            continue
        verdict = run.account.ledger.get(keys.verdict(arn))
        execution = it["CustomerMetadataProperties"]["execution"]
        text = run.account.bucket.text(f"models/{model}/{execution.rsplit('/', 1)[-1]}/evaluation.json")
        found = json.loads(text or "{}").get("handsoff", {})
        accuracy = found.get("candidate", {}).get("metrics", {}).get("accuracy", {}).get("value", 0.0)
        if verdict is None or verdict.verdict.decision != "APPROVE":
            yield f"{arn[-20:]} is approved by the rules without their verdict"
        elif found.get("execution") != execution or accuracy < 0.78:
            yield f"{arn[-20:]} is approved by the rules, its evaluation says accuracy {accuracy}"
        elif arn.rsplit("/", 1)[0] not in touched:
            key = (model, verdict.verdict.champion)
            if key in beside:
                yield f"{arn[-20:]} and {beside[key][-20:]} were both approved beside {key[1]}"
            beside[key] = arn
