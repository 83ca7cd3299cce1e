"""Judging and deciding: try rules, explain a verdict, approve, reject."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from handsoff import show
from handsoff.commands import terminal
from handsoff.commands.terminal import out
from handsoff.operating.replay import WrongCall, replay
from retraining.candidates import decisions
from retraining.candidates.state import said_by
from retraining.errors import HandsoffError, NotReady
from retraining.facts.candidates import Status


class TooLate(HandsoffError):
    """Somebody, or the rules, decided before."""


PACKAGE = "Its ARN, or model and version, such as titanic/3."


def judge(
    package: Annotated[str | None, typer.Argument(metavar="PACKAGE", help=PACKAGE)] = None,
    evaluation: Annotated[
        str | None, typer.Option(metavar="FILE", help="An evaluation.json to replay; - reads it from stdin.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="By whose rules to replay it.")] = None,
    without_champion: Annotated[
        bool, typer.Option("--without-champion", help="Put the champion aside, on your word.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded with your name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole verdict, for scripts.")] = False,
) -> None:
    """Try rules on an evaluation that you have, or judge a held candidate again without its champion.

    `handsoff judge --evaluation FILE --model M` says what the rules in your handsoff.yaml make of an
    evaluation.json: change a rule, replay history, see what it would have decided. It needs no AWS and
    changes nothing; the champion is the one that the file names. The exit code is 0 whatever the verdict is.

    Past evaluations lie at models/M/EXECUTION/evaluation.json in the data bucket:
    `aws s3 cp s3://… - | handsoff judge --evaluation - --model M`

    `handsoff judge PACKAGE --without-champion --reason "…"` is the way out of a champion that can no longer
    be compared with: its file is gone, or it was made by another scikit-learn. The rules that are published
    decide again and leave out what compares with the champion; the result is written to the registry. Who
    asked for that, when and why is recorded, and the earlier verdict is kept.
    """
    where = terminal.project()
    if (package is None) == (evaluation is None):
        raise WrongCall(
            "either --evaluation FILE --model M, or PACKAGE --without-champion --reason: see --help"
        )
    if evaluation is not None:
        if without_champion or reason is not None:
            raise WrongCall("--without-champion and --reason go with PACKAGE, not with --evaluation")
        if model is None:
            raise WrongCall("--evaluation needs --model: by whose rules?")
        verdict = replay(evaluation, where.model(model), where.config.models[model])
    else:
        if model is not None:
            raise WrongCall("--model goes with --evaluation; PACKAGE names its model itself")
        if not without_champion:
            raise WrongCall(
                "PACKAGE is judged by itself when it is registered; to judge it again, say --without-champion"
            )
        if not (reason or "").strip():
            raise WrongCall('--without-champion needs --reason "…": it is recorded')
        deployment = terminal.deployment(where)
        found = deployment.find_package(package or "")
        verdict = deployment.judge_without_champion(found, reason or "")
    if as_json:
        typer.echo(json.dumps(verdict.as_evidence(), indent=1, ensure_ascii=False))
    else:
        show.show_verdict(out, verdict)


def explain(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    as_json: Annotated[bool, typer.Option("--json", help="The whole of it, for scripts.")] = False,
) -> None:
    """Show why a model package was approved, rejected or held: every rule with its numbers, and who decided.

    The table has a line for each question that a rule asked: what was observed, what was needed, on how many
    validation rows, and what came of it. What a comparison observed is the gain that is certain at the rule's
    confidence, not the bare difference. `fail → hold` means that the rule did not hold, and that this alone
    leaves the decision to a person.
    """
    deployment = terminal.deployment()
    found = deployment.judgement(deployment.find_package(package))
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show.explanation(out, found)


# ---- deciding -----------------------------------------------------------------------------------------


REASON = "Why, in one line; it is recorded with your name."


def approve(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(help=REASON)],
    as_json: Annotated[bool, typer.Option("--json", help="The decision that stands, for scripts.")] = False,
) -> None:
    """Approve a model package that waits: it becomes the champion. Older ones that wait are superseded.

    Your name is the ARN of the AWS identity that you use. If somebody else has decided already, that decision
    stands, and you are told whose it is; the exit code is 1 then. Your own decision again changes nothing.
    """
    _decide(package, "Approved", reason, as_json)


def reject(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(help=REASON)],
    as_json: Annotated[bool, typer.Option("--json", help="The decision that stands, for scripts.")] = False,
) -> None:
    """Reject a model package that waits. A champion is taken back in AWS: the refusal says by which command.

    Your name is the ARN of the AWS identity that you use. If somebody else has decided already, that decision
    stands, and you are told whose it is; the exit code is 1 then. Your own decision again changes nothing.
    """
    _decide(package, "Rejected", reason, as_json)


def _decide(package: str, status: Status, reason: str, as_json: bool) -> None:
    why = decisions.reason(reason)
    deployment = terminal.deployment()
    found = deployment.find_package(package)
    try:
        standing = deployment.decide(found, status, why)
    except NotReady:
        raise NotReady(
            "a candidate of this model is being decided by somebody else right now; try again in two minutes"
        ) from None
    if as_json:
        shown = {
            "modelPackageArn": found.arn,
            "modelApprovalStatus": standing.status,
            "ours": standing.ours,
            "decidedBy": standing.by,
            "decidedWho": standing.who,
            "decidedAt": standing.at.isoformat(),
            "decidedWhy": standing.why,
        }
        typer.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        if not standing.ours:
            raise typer.Exit(1)
        return
    said = f"{standing.status} {said_by(standing.by, standing.who)}"
    if not standing.ours:
        why = f": {standing.why}" if standing.why else ""
        back = ""
        if (status, standing.status) == ("Rejected", "Approved"):
            back = (
                f". To take it back: aws sagemaker update-model-package --model-package-arn {found.arn} "
                '--model-approval-status Rejected --approval-description "…"'
            )
        raise TooLate(f"{found.name} is {said} already, since {standing.at.isoformat()}{why}{back}")
    out.print(f"{found.name}: {show.escape(said)}", soft_wrap=True)
