"""The form of a verdict in evidence.json, as frozen models: what verdicts.Verdict.as_evidence writes."""

from retraining.evidence.part import Arn, Count, Number, OpenPart, Part, Sha256, Time
from retraining.verdicts.verdict import Code, Decision, Effect, Kind, Outcome, Question


class Finding(Part):
    """The answer to one question of a rule; verdicts.Finding describes the fields."""

    question: Question
    outcome: Outcome
    n: Count | None
    clusters: Count | None
    observed: Number | None
    limit: Number | None
    estimate: Number | None
    bounds: tuple[Number, Number] | None
    standard_error: Number | None
    text: str


class RuleResult(Part):
    """The result of one rule."""

    rule: str
    kind: Kind
    outcome: Outcome
    effect: Effect
    text: str
    findings: tuple[Finding, ...]


class Verdict(Part):
    """What the rules said. `reason_codes` are the codes of `reasons`, in the same order."""

    decision: Decision
    reasons: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    champion: Arn | None
    rules_sha256: Sha256
    n: Count
    first_model: str | None
    without_champion: str | None
    anchor: Arn | None
    look: Count | None
    reason_codes: tuple[Code, ...]


class JudgedAgain(OpenPart):
    """Who had the champion put aside, when, and why."""

    by: str
    at: Time
    why: str


class EarlierVerdict(OpenPart):
    """A verdict that another one has replaced: when it was taken, and when it was carried out."""

    verdict: Verdict
    taken_at: Time
    done_at: Time | None = None
    again: JudgedAgain | None = None
