"""Commands about decisions: judge by rules, explain a verdict, approve, reject."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import out
from handsoff.deployment import Deployment
from handsoff.errors import AlreadyDecided, UsageError
from handsoff.operating.decisions import decide, judge_without_champion, judgement_as_json, read_judgement
from handsoff.operating.packages import find_package
from handsoff.operating.replaying import replay
from handsoff.showing.console import escape
from handsoff.showing.verdicts import show_judgement, show_verdict
from retraining.candidates import decisions
from retraining.candidates.decision_actions import Standing
from retraining.candidates.state import said_by
from retraining.errors import NotReady
from retraining.facts.candidates import Status
from retraining.facts.package import Package
from retraining.verdicts.verdict import Verdict

PACKAGE = "Its ARN, or model and version, such as titanic/3."
"""Help of the argument PACKAGE."""

REASON = "Why, in one line; it is recorded with your name."
"""Help of the option --reason."""

EITHER_OR = "give either --evaluation FILE --model M, or PACKAGE --without-champion --reason: see --help"
"""The error of `judge` without either form, or with both."""


def judge(
    package: Annotated[str | None, typer.Argument(metavar="PACKAGE", help=PACKAGE)] = None,
    evaluation: Annotated[
        str | None, typer.Option(metavar="FILE", help="An evaluation.json to judge; - reads it from stdin.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The model in handsoff.yaml whose rules judge --evaluation."),
    ] = None,
    without_champion: Annotated[
        bool, typer.Option("--without-champion", help="Judge PACKAGE again, leaving the champion out.")
    ] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help=REASON)] = None,
    look: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="The look at its validation rows that --evaluation is taken for."
        ),
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole verdict as JSON, for scripts.")
    ] = False,
) -> None:
    """Judge an evaluation.json by the rules in handsoff.yaml, or a held candidate without its champion.

    With --evaluation it needs no AWS and changes nothing: change a rule, and see what it would have decided.
    Champion and anchor are those that the file names. A rule on `min_gain` is judged as at the first look at
    these validation rows, or at --look; `handsoff explain` says which look it was. The exit code is 0
    whatever the verdict is. Past evaluations are at models/MODEL/EXECUTION/evaluation.json in the data
    bucket.

    With --without-champion a held candidate is judged again by the published rules, without those that
    compare it with the champion. Use it where the champion cannot be compared with: its file is gone, or
    another scikit-learn made it. The verdict is carried out; who asked for it, when and why is recorded.

    Example: `handsoff judge --evaluation evaluation.json --model titanic`

    Example: `handsoff judge titanic/3 --without-champion --reason "the champion's file is gone"`
    """
    if evaluation is not None and package is None:
        verdict = _judge_evaluation(evaluation, model, without_champion, reason, look)
    elif package is not None and evaluation is None:
        verdict = _judge_package(package, model, without_champion, reason)
    else:
        raise UsageError(EITHER_OR)
    if as_json:
        terminal.print_json(verdict.as_evidence())
    else:
        show_verdict(out, verdict, assumed=evaluation is not None)


def _judge_evaluation(
    file: str, model: str | None, without_champion: bool, reason: str | None, look: int
) -> Verdict:
    if without_champion or reason is not None:
        raise UsageError("--without-champion and --reason go with PACKAGE, not with --evaluation")
    if model is None:
        raise UsageError("--evaluation needs --model: the model whose rules judge it")
    where = terminal.project_to_publish()
    return replay(file, where.model(model), where.config.models[model], look)


def _judge_package(name: str, model: str | None, without_champion: bool, reason: str | None) -> Verdict:
    if model is not None:
        raise UsageError("--model goes with --evaluation; PACKAGE names its model itself")
    if not without_champion:
        raise UsageError(
            "a package is judged when it is registered; to judge it again, say --without-champion"
        )
    if not (reason or "").strip():
        raise UsageError('--without-champion needs --reason "…": it is recorded')
    deployment = terminal.deployment()
    return judge_without_champion(deployment, find_package(deployment, name), reason or "")


def explain(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Show why a model package was approved, rejected or held: every rule with its numbers, and who decided.

    The table has a line for each question that a rule asks: the observed value, the value needed, the number
    of validation rows, and the outcome. Where a rule compares with the champion, the observed value is the
    gain that is certain at the rule's confidence. Such a rule passes, or the candidate is worse, or the rows
    leave it undecided, which holds. `fail → hold` means that a rule failed, and that this alone leaves the
    decision to a person.

    Example: `handsoff explain titanic/3`
    """
    deployment = terminal.deployment()
    found = read_judgement(deployment, find_package(deployment, package))
    if as_json:
        terminal.print_json(judgement_as_json(found))
    else:
        show_judgement(out, found)


def approve(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=REASON)],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the decision that stands as JSON, for scripts.")
    ] = False,
) -> None:
    """Approve a pending model package: it becomes the champion, and older pending ones are superseded.

    Your name is the ARN of the AWS identity that you use. If another decision stands already, it is shown,
    and the exit code is 1. Repeating your own decision changes nothing.

    Example: `handsoff approve titanic/3 --reason "compared by hand"`
    """
    _decide(package, "Approved", reason, as_json)


def reject(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=REASON)],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the decision that stands as JSON, for scripts.")
    ] = False,
) -> None:
    """Reject a pending model package.

    For an approved one it changes nothing and prints the commands that take it back.

    Your name is the ARN of the AWS identity that you use. If another decision stands already, it is shown,
    and the exit code is 1. Repeating your own decision changes nothing.

    Example: `handsoff reject titanic/3 --reason "trained on the wrong export"`
    """
    _decide(package, "Rejected", reason, as_json)


def _decide(name: str, status: Status, reason: str, as_json: bool) -> None:
    why = decisions.reason(reason)
    deployment = terminal.deployment()
    package = find_package(deployment, name)
    try:
        standing = decide(deployment, package, status, why)
    except NotReady:
        raise NotReady(
            "another candidate of this model is being decided right now; try again in two minutes"
        ) from None
    if as_json:
        terminal.print_json(_standing_as_json(package, standing))
        if not standing.ours:
            raise typer.Exit(1)
        return
    said = f"{standing.status} {said_by(standing.by, standing.who)}"
    if not standing.ours:
        why = f": {standing.why}" if standing.why else ""
        if standing.by == "rules":  # their reason is every rule with its numbers
            short = package.name.removeprefix(f"{deployment.prefix}-")
            why = f"; `handsoff explain {short}` shows the reasons"
        way_out = (
            _way_to_reject(deployment, package)
            if (status, standing.status) == ("Rejected", "Approved")
            else ""
        )
        raise AlreadyDecided(
            f"{package.name} is {said} already, since {standing.at.isoformat()}{why}{way_out}"
        )
    kept = f" already, because {standing.why}; the new reason is not recorded" if standing.why != why else ""
    out.print(f"{package.name}: {escape(said + kept)}", soft_wrap=True)


def _standing_as_json(package: Package, standing: Standing) -> dict[str, object]:
    return {
        "modelPackageArn": package.arn,
        "modelApprovalStatus": standing.status,
        "ours": standing.ours,
        "decidedBy": standing.by,
        "decidedWho": standing.who,
        "decidedAt": standing.at.isoformat(),
        "decidedWhy": standing.why,
    }


def _way_to_reject(deployment: Deployment, package: Package) -> str:
    model = package.group.removeprefix(f"{deployment.prefix}-")
    return (
        f'. To take it back if it is the champion: handsoff rollback {model} --reason "…"; otherwise: '
        f"aws sagemaker update-model-package --model-package-arn {package.arn} "
        '--model-approval-status Rejected --approval-description "…"'
    )
