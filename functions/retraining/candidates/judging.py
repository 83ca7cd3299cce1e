"""A candidate is judged by the rules, and what the verdict says is carried out.

The function does so when a candidate is registered; the command line does when a person puts the champion
aside. The fact `verdict#<package ARN>` in the ledger is written first and marked done last.
"""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools.metrics import MetricUnit

from retraining import evidence
from retraining.aws import registry
from retraining.aws.observability import logger, metrics
from retraining.aws.registry import Package
from retraining.candidates import decisions
from retraining.candidates.decisions import ChampionChanged, Compared, Standing
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.errors import ConfigError, HandsoffError
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision, JudgedAgain, Status, VerdictFact
from retraining.notifications.messages import Kind, Notification
from retraining.notifications.publish import notify
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.judge import held_after_all, judge, of_another_config
from retraining.verdicts.verdict import Decision, Reason, Verdict

STATUS: Final[dict[Decision, Status | None]] = {"APPROVE": "Approved", "REJECT": "Rejected", "HOLD": None}
KIND: Final[dict[Decision, Kind]] = {"APPROVE": "approved", "REJECT": "rejected", "HOLD": "waiting"}

EARLIER: Final = 5
"""Verdicts that are kept beside the one that counts: the first, and the last of the others."""

METRIC: Final[dict[Decision, str]] = {
    "APPROVE": "CandidatesApproved",
    "REJECT": "CandidatesRejected",
    "HOLD": "CandidatesHeld",
}


class CannotBeJudged(HandsoffError):
    """The package is not one that may be judged again."""


def settle(arn: str, using: Collaborators) -> None:
    """Judge a candidate, once; a repetition finishes what an earlier one left half done."""
    known = using.ledger.get(keys.verdict(arn))
    if known is None:
        candidate = registry.package(using.sagemaker, arn)
        if not candidate.pending:
            logger.info("package is decided already", package=arn, status=candidate.approval_status)
            return
        known = first_verdict(candidate, using)
    if known.done_at is None:
        verdict = carry_out(arn, known, using)
        metrics.add_metric(METRIC[verdict.decision], MetricUnit.Count, 1)


def first_verdict(candidate: Package, using: Collaborators) -> VerdictFact:
    """Judge the candidate; the verdict that stands in the ledger then, ours or one taken meanwhile."""
    evaluation, verdict = _judged(candidate, using)
    started = using.ledger.get(keys.execution(candidate.execution or "None"))
    fresh = VerdictFact(
        verdict=verdict,
        batch=evaluation.batch,  # a bare start registers with batch latest; which one that was is known now
        requested_by=started.requested_by if started else None,
        taken_at=using.clock(),
    )
    return using.ledger.take(keys.verdict(candidate.arn), fresh) or fresh


def judge_without_champion(candidate: Package, *, by: str, why: str, using: Collaborators) -> Verdict:
    """Judge a held candidate again with the champion put aside, and carry that out; the verdict.

    Who asked for it, when and why stands beside the verdict, and so does the earlier one. What was left
    half done is finished first. Raises NoReason if there is none, and CannotBeJudged if the candidate is
    not one that is held and still pending, or it was compared with the champion and lost.
    """
    why = decisions.reason(why)
    known = using.ledger.get(keys.verdict(candidate.arn))
    if known and known.again and known.done_at is None:
        return carry_out(candidate.arn, known, using)
    if not candidate.pending:
        raise CannotBeJudged(f"{candidate.name} is {candidate.approval_status} already, which stands")
    if known is None or known.done_at is None:
        raise CannotBeJudged(f"{candidate.name} has not been judged yet: that comes by itself")
    judged = known.verdict
    if judged.decision != "HOLD":
        raise CannotBeJudged(
            f"the rules said {judged.decision} of {candidate.name}: only what they hold may be judged again"
        )
    if judged.champion is None:
        raise CannotBeJudged(f"{candidate.name} was compared with no champion: there is none to put aside")
    if lost := judged.lost_to_champion:
        raise CannotBeJudged(
            f"{candidate.name} was compared with the champion, which is no stale one, and lost: {lost.text}. "
            "To approve it all the same, decide as a person"
        )
    if not judged.held_by_champion:
        raise CannotBeJudged(
            f"{candidate.name} is not held because of its champion: "
            f"{'; '.join(judged.texts)}. Decide on it as a person"
        )
    _, verdict = _judged(candidate, using, without_champion=f"{why} (said by {by})")
    now = using.clock()
    earlier = (*known.earlier, known.as_earlier())
    again = known.model_copy(
        update={
            "verdict": verdict,
            "earlier": earlier if len(earlier) <= EARLIER else (earlier[0], *earlier[1 - EARLIER :]),
            "again": JudgedAgain(by=by, at=now, why=why),
            "taken_at": now,
            "done_at": None,
        }
    )
    if not using.ledger.replace(keys.verdict(candidate.arn), again, where={"taken_at": known.taken_at}):
        raise CannotBeJudged(f"{candidate.name} has just been judged again by somebody else")
    return carry_out(candidate.arn, again, using)


def _judged(
    candidate: Package, using: Collaborators, *, without_champion: str | None = None
) -> tuple[Evaluation, Verdict]:
    """What the candidate's evaluation says, and what the rules say about it now."""
    config = _config(candidate, using)
    champion = registry.champion(using.sagemaker, candidate.group)
    evaluation = registry.evaluation(using.s3, candidate)
    return evaluation, judge(
        evaluation,
        config.approval,
        champion.arn if champion else None,
        without_champion=without_champion,
        doubts=_doubts(candidate, evaluation, config, using),
    )


def _doubts(
    candidate: Package, evaluation: Evaluation, config: ModelConfig, using: Collaborators
) -> list[Reason]:
    """Why a person should look, whatever the rules say: the evaluation is not about this package and these
    rules, or a person has rejected what was trained on the same data."""
    found = []
    model = using.settings.model_of(candidate.group)
    ours = f"s3://{using.settings.bucket}/models/{model}/{(candidate.execution or '').rsplit('/', 1)[-1]}/"
    if (evaluation.model, evaluation.execution) != (model, candidate.execution):
        text = (
            f"the evaluation is of {evaluation.model}, {evaluation.execution}; "
            f"the package of {model}, {candidate.execution}"
        )
        found.append(Reason(code="evaluation_of_another_execution", text=text))
    for what, uri in (("model", candidate.model_uri), ("evaluation", candidate.evaluation_uri)):
        if not (uri or "").startswith(ours):
            text = f"its {what} {uri} is not below {ours}, where its execution writes"
            found.append(Reason(code="artifact_elsewhere", text=text))
    if evaluation.drift and evaluation.drift.reference != evaluation.champion:
        text = f"drift was measured against {evaluation.drift.reference}, no champion of these rows"
        found.append(Reason(code="drift_reference", text=text))
    if doubt := of_another_config(evaluation, config):
        found.append(doubt)
    for package in registry.rejected(using.sagemaker, candidate.group):
        decision = using.ledger.get(keys.decision(package.arn))
        by_person = decision and decision.status == "Rejected" and decision.by in decisions.PEOPLE
        if by_person and package.metadata.get("batch") == evaluation.batch:
            text = f"a person has rejected {package.name}, which was trained on the same data"
            found.append(Reason(code="rejected_same_data", text=text))
            break
    return found


def _config(candidate: Package, using: Collaborators) -> ModelConfig:
    model = using.settings.model_of(candidate.group)
    config = using.configs.get(model, fresh=True)
    if config is None:
        raise ConfigError(f"no config of {model} in SSM: publish it, then try again")
    return config


def carry_out(arn: str, known: VerdictFact, using: Collaborators) -> Verdict:
    """Do what the recorded verdict says: the registry, the approvers, the evidence, and last the mark.

    Each part may be repeated, so that dying between any two of them only delays the rest. What a person
    decided meanwhile stands, and nobody is told otherwise. Returns the verdict that counts in the end: an
    approval is turned into a hold if the champion changed since.
    """
    verdict = known.verdict
    candidate = registry.package(using.sagemaker, arn)
    standing: Standing | None = None
    if status := STATUS[verdict.decision]:
        try:
            standing = _decided(arn, status, verdict, known, using)
        except ChampionChanged as changed:
            verdict = held_after_all(verdict, changed.champion)
            using.ledger.mark(keys.verdict(arn), verdict=verdict)
    ours = standing.ours if standing else _held(arn, verdict, known, using)
    if ours:
        _tell(candidate, verdict, using)
    else:
        logger.warning("package was decided elsewhere meanwhile", package=arn)
    if candidate.execution:
        evidence.write(using.sources, using.settings.model_of(candidate.group), candidate.execution)
    using.ledger.mark(keys.verdict(arn), done_at=using.clock())
    logger.info("candidate judged", package=arn, decision=verdict.decision, reasons=list(verdict.texts))
    return verdict


def _decided(
    arn: str, status: Status, verdict: Verdict, known: VerdictFact, using: Collaborators
) -> Standing:
    return decisions.decide(
        arn,
        status,
        by=decisions.RULES,
        why=registry.shorten(_said(verdict)),
        compared=None if verdict.without_champion else Compared(verdict.champion),
        metadata=_facts(verdict, known),
        using=using,
    )


def _said(verdict: Verdict) -> str:
    aside = f" without the champion ({verdict.without_champion})" if verdict.without_champion else ""
    return f"{verdict.decision} by rules{aside}: {'; '.join(verdict.texts)}"


def _held(arn: str, verdict: Verdict, known: VerdictFact, using: Collaborators) -> bool:
    """Note the verdict on a package that is to wait. False if somebody has decided it meanwhile."""
    candidate = registry.package(using.sagemaker, arn)
    facts = {name: registry.metadata_text(value) for name, value in _facts(verdict, known).items()}
    if candidate.pending and not facts.items() <= candidate.metadata.items():
        registry.annotate(using.sagemaker, candidate, facts)
    return candidate.pending


def _facts(verdict: Verdict, known: VerdictFact) -> dict[str, str]:
    """The key facts of a verdict for the package's metadata."""
    facts = {
        "batch": known.batch,
        "requestedBy": known.requested_by,
        "verdict": verdict.decision,
        "rules": verdict.rules_sha256[:12],
        "comparedWith": verdict.champion or "none",
        "validationRows": str(verdict.n),
        "judgedAt": known.taken_at.isoformat(),
        "firstModel": verdict.first_model,
        "withoutChampion": verdict.without_champion,
    }
    return {name: value for name, value in facts.items() if value}


def _tell(candidate: Package, verdict: Verdict, using: Collaborators) -> None:
    """Tell approvers what came of the candidate, once."""
    by = decisions.RULES if STATUS[verdict.decision] else None
    message = of_candidate(
        candidate, KIND[verdict.decision], verdict.decision, verdict.texts, by=by, using=using
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())


def tell_decision(package: Package, decision: EarlierDecision, using: Collaborators) -> None:
    """Tell approvers, once, of a decision of the ledger that was not the rules'."""
    approved = package.approval_status == "Approved"
    message = of_candidate(
        package,
        "approved" if approved else "rejected",
        "APPROVE" if approved else "REJECT",
        (decision.why or "no reason was given",),
        by=decision.by,
        who=decision.who,
        occurrence=decision.at.isoformat(),
        using=using,
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())


def of_candidate(
    candidate: Package,
    kind: Kind,
    decision: Decision,
    reasons: tuple[str, ...],
    *,
    using: Collaborators,
    by: str | None = None,
    who: str | None = None,
    occurrence: str = "",
) -> Notification:
    """The notification that something became of a candidate, with a link to its page."""
    model = using.settings.model_of(candidate.group)
    execution_id = (candidate.execution or "").rsplit("/", 1)[-1]
    return Notification(
        kind=kind,
        model=model,
        subject=candidate.arn,
        reasons=reasons,
        execution_arn=candidate.execution,
        package_arn=candidate.arn,
        decision=decision,
        evidence_uri=f"s3://{using.settings.bucket}/{evidence.evidence_key(model, execution_id)}",
        occurrence=occurrence,
        by=by,
        who=who,
        review_url=using.links.url(candidate.arn) if using.links else None,
    )
