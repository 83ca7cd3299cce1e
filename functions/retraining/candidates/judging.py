"""A candidate is judged by the rules, and what the verdict says is carried out.

The fact `verdict#<package ARN>` in the ledger is written first and marked done last.
"""

from __future__ import annotations

from typing import Final

from retraining import evidence, records
from retraining.aws import registry
from retraining.aws.measures import measure
from retraining.aws.observability import about, logger
from retraining.candidates import anchoring, announcing, decisions, telling
from retraining.candidates.decision_actions import Compared
from retraining.candidates.decisions import AnchorChanged, ChampionChanged
from retraining.candidates.doubts import doubts
from retraining.candidates.looking import look
from retraining.candidates.state import RULES
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.facts.candidates import Status, VerdictFact
from retraining.facts.package import Package
from retraining.text import shorten
from retraining.verdicts import anchor as versus_anchor
from retraining.verdicts import looks
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.judge import held_after_all, judge
from retraining.verdicts.verdict import Decision, Reason, Verdict

STATUS: Final[dict[Decision, Status | None]] = {"APPROVE": "Approved", "REJECT": "Rejected", "HOLD": None}
"""What a verdict makes of the package; None leaves it pending."""

METRIC: Final[dict[Decision, str]] = {
    "APPROVE": "CandidatesApproved",
    "REJECT": "CandidatesRejected",
    "HOLD": "CandidatesHeld",
}
"""The metric that counts candidates with this verdict."""


def settle(arn: str, using: Collaborators) -> bool:
    """Judge a candidate, once; a repetition finishes what an earlier one left half done.

    Says whether there was anything to do. The package is described once here, and once more before it is
    changed.
    """
    known = using.ledger.get(keys.verdict(arn))
    if known and known.done_at:
        return False
    candidate = registry.find(using.sagemaker, arn)
    if candidate is None:
        logger.warning("package no longer exists", package=arn)
        return False
    about(execution=candidate.execution, package=arn)
    if known is None:
        if not candidate.pending:
            logger.info("package is decided already", package=arn, status=candidate.approval_status)
            return False
        known = _first_verdict(candidate, using)
    if known.done_at is None:
        verdict = carry_out(candidate, known, using)
        measure(METRIC[verdict.decision], model=using.settings.model_of(candidate.group))
    return True


def _first_verdict(candidate: Package, using: Collaborators) -> VerdictFact:
    """Judge the candidate; the verdict that stands in the ledger then, ours or one taken meanwhile."""
    evaluation, verdict = judge_now(candidate, using)
    started = using.ledger.get(keys.execution(candidate.execution or "None"))
    fresh = VerdictFact(
        verdict=verdict,
        batch=evaluation.batch,  # a bare start registers with batch latest; which one that was is known now
        requested_by=started.requested_by if started else None,
        taken_at=using.clock(),
    )
    return using.ledger.take(keys.verdict(candidate.arn), fresh) or fresh


def judge_now(
    candidate: Package, using: Collaborators, *, without_champion: str | None = None
) -> tuple[Evaluation, Verdict]:
    """What the candidate's evaluation says, and what the rules say about it now.

    The anchor is noted if it was not, and so is this look at the validation rows if a rule asks for a gain.
    """
    config = _config(candidate, using)
    approval, found = config.approval, registry.champion(using.sagemaker, candidate.group)
    champion = found.arn if found else None
    evaluation = registry.evaluation(using.s3, candidate)
    anchor, gone = _anchor(candidate.group, champion, using) if approval.asks_anchor else (None, [])
    looks_at_rows = looks.is_taken(approval, evaluation, champion, without_champion)
    return evaluation, judge(
        evaluation,
        approval,
        champion,
        anchor=anchor,
        look=look(candidate, evaluation, using) if looks_at_rows else 1,
        without_champion=without_champion,
        doubts=[*doubts(candidate, evaluation, config, using), *gone],
    )


def _anchor(group: str, champion: str | None, using: Collaborators) -> tuple[str | None, list[Reason]]:
    """The ARN of the model's anchor, None if there is none; and why it is no measure, if it is none."""
    known = anchoring.current(group, using)
    if known is None or known.package == champion:
        return (known.package if known else None), []
    found = registry.find(using.sagemaker, known.package)
    if found and found.approval_status == "Approved":
        return known.package, []
    status = found.approval_status if found else None
    return known.package, [versus_anchor.gone(known.package, status, using.settings.model_of(group))]


def _config(candidate: Package, using: Collaborators) -> ModelConfig:
    model = using.settings.model_of(candidate.group)
    config = using.configs.get(model, fresh=True)
    if config is None:
        raise ConfigError(f"no config of {model} in SSM: publish it, then try again")
    return config


def carry_out(candidate: Package, known: VerdictFact, using: Collaborators) -> Verdict:
    """Do what the recorded verdict says: the registry, the approvers, the evidence, and last the mark.

    Each part may be repeated, so that dying between any two of them only delays the rest. What a person
    decided meanwhile stands, and nobody is told otherwise. Returns the verdict that counts in the end: an
    approval is turned into a hold if the champion has changed.
    """
    arn, verdict = candidate.arn, known.verdict
    model = using.settings.model_of(candidate.group)
    # Before the package is read again: what is written later than this read is not overwritten.
    copy = evidence.copy_now(using.sources, model, candidate.execution) if candidate.execution else None
    ours, package = False, candidate
    if status := STATUS[verdict.decision]:
        try:
            result = _decided(arn, status, verdict, known, using)
            ours, package = result.standing.ours, result.package
        except ChampionChanged as changed:
            verdict = held_after_all(verdict, changed.champion)
            using.ledger.mark(keys.verdict(arn), verdict=verdict)
        except AnchorChanged as moved:
            verdict = versus_anchor.held_after_all(verdict, moved.anchor, model)
            using.ledger.mark(keys.verdict(arn), verdict=verdict)
    if verdict.decision == "HOLD":
        package = _noted(arn, verdict, known, using)
        ours = package.pending
    if ours:
        telling.tell_verdict(candidate, verdict, using)
        if verdict.decision == "HOLD" and known.again is None:  # one that is judged again waited before
            announcing.candidate_waits(candidate, known.taken_at, verdict.texts, using)
    else:
        logger.warning("package was decided by somebody else meanwhile", package=arn)
    written = None
    if candidate.execution and copy:
        written = records.write(using.sources, model, candidate.execution, known=(package, copy))
    using.ledger.mark(keys.verdict(arn), done_at=using.clock())
    logger.info("candidate judged", package=arn, decision=verdict.decision, reasons=list(verdict.texts))
    if written:
        records.make_report(using.sources, model, written)
    return verdict


def _decided(
    arn: str, status: Status, verdict: Verdict, known: VerdictFact, using: Collaborators
) -> decisions.Result:
    return decisions.decided(
        arn,
        status,
        by=RULES,
        why=shorten(_said(verdict)),
        compared=Compared(verdict.champion, bool(verdict.without_champion), verdict.anchor),
        metadata=_facts(verdict, known),
        using=using,
    )


def _said(verdict: Verdict) -> str:
    aside = f" without the champion ({verdict.without_champion})" if verdict.without_champion else ""
    return f"{verdict.decision} by rules{aside}: {'; '.join(verdict.texts)}"


def _noted(arn: str, verdict: Verdict, known: VerdictFact, using: Collaborators) -> Package:
    """The package, with the verdict noted on it unless it was decided meanwhile.

    A decision in AWS is noted in the ledger then. Nobody is told that the candidate waits, so people must be
    told of the decision, or that the candidate is set back.
    """
    candidate = registry.package(using.sagemaker, arn)
    facts = {name: registry.metadata_text(value) for name, value in _facts(verdict, known).items()}
    if candidate.pending and not facts.items() <= candidate.metadata.items():
        registry.annotate(using.sagemaker, candidate, facts)
    if not candidate.pending and using.ledger.get(keys.decision(arn)) is None:
        decisions.adopt(candidate, None, using)
    return candidate


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
