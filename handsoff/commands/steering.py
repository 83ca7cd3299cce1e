"""Commands that change what a model does now: roll back, pause, resume, stop an execution."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.decisions import REASON
from handsoff.commands.terminal import err, out
from handsoff.deploying import champions
from handsoff.deployment import Deployment
from handsoff.errors import Refused
from handsoff.operating import rollback as rolling
from handsoff.operating.decisions import logs_silenced
from handsoff.operating.executions import find_execution
from handsoff.operating.rollback import Plan
from handsoff.operating.states import model_state
from handsoff.operating.stopping import Stopped
from handsoff.operating.stopping import stop as stop_execution
from handsoff.showing.console import escape, moment
from handsoff.showing.history import age
from retraining.candidates import decisions
from retraining.candidates.decisions import ChampionChanged
from retraining.errors import NotReady
from retraining.facts.pauses import PauseFact
from retraining.starts import pausing
from retraining.starts.pausing import Outcome

MODEL = "The model in handsoff.yaml."
"""Help of the argument MODEL."""


def rollback(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=REASON)],
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="N", help="The version. Without it, the one before."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on AWS.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was decided as JSON.")] = False,
) -> None:
    """Make an earlier version champion again: it is approved anew, and the champion of now is rejected.

    Without --to it is the version that was champion before, if it is still approved. Approvers are told, and
    the event `Champion Rolled Back` tells whatever serves models. Candidates that are newer than the version
    still wait. A candidate that was trained on the data of the rejected version waits for a person.

    On AWS it asks first. The same command again changes nothing, so it may be repeated after an error.
    `handsoff pause MODEL` stops retraining, too.

    Example: `handsoff rollback titanic --reason "precision fell in production"`

    Example: `handsoff rollback titanic --to 4 --reason "7 learned from the wrong export"`
    """
    why = decisions.reason(reason)
    deployment = terminal.deployment()
    terminal.project().model(model)
    with err.status(f"reading the versions of {model}"):
        plan = rolling.plan(deployment, model, to, why)
    image = champions.warning(deployment, model, plan.to)
    for warning in (*([image] if image else []), *plan.warnings):
        err.print(f"[yellow]warning:[/] {escape(plan.to.name)}: {escape(warning)}", soft_wrap=True)
    if not plan.repeats:
        terminal.confirm(deployment, f"{_planned(plan)} Roll back?", yes=yes)
    try:
        with err.status("rolling back"):
            decision = rolling.carry_out(deployment, plan, why)
    except ChampionChanged as changed:
        raise Refused(
            f"{changed.champion or 'no package'} is champion by now, and nothing was changed: look at "
            f"`handsoff versions {model}`, then decide again"
        ) from None
    except NotReady:
        raise NotReady(
            "a candidate of this model is being decided right now; try again in two minutes"
        ) from None
    if as_json:
        terminal.print_json(rolling.as_json(plan, decision))
        return
    was = " already" if plan.repeats else ""
    out.print(f"{plan.to.name}: champion again{was}, since {moment(decision.at)}", soft_wrap=True)
    if decision.rollback and decision.rollback.gone:
        gone = decision.rollback.gone.partition(":model-package/")[2]
        out.print(
            f"{escape(gone)}: Rejected. Approvers and the event bus are told within two minutes",
            soft_wrap=True,
        )


def _planned(plan: Plan) -> str:
    """What the roll-back will do, in one or two sentences."""
    to = f"{plan.to.name} ({plan.to.approval_status}, registered {moment(plan.to.created_at)})"
    if plan.champion is None:
        return f"{to} becomes champion; there is none now."
    return f"{to} becomes champion again, and {plan.champion.name} is rejected."


def pause(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=REASON)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the pause as JSON, for scripts.")] = False,
) -> None:
    """Pause a model: nothing starts until `handsoff resume`. No publish is needed.

    Landings, schedules and requests wait in the ledger, and nothing is lost: one start serves them all once
    the model is resumed. Approvers are told once of data or a schedule that waits. An execution that runs
    goes on, and so does the decision on candidates; `handsoff stop` ends an execution.

    A model that is paused already stays so; the command then says since when, by whom and why.

    Example: `handsoff pause titanic --reason "the source is being migrated"`
    """
    why = decisions.reason(reason)
    where = terminal.project()
    where.model(model)
    deployment = terminal.deployment(where)
    with logs_silenced():
        found = pausing.pause(model, by=deployment.caller, why=why, using=deployment.collaborators)
    if as_json:
        terminal.print_json(_pause_as_json(model, found))
        return
    out.print(f"{model}: {_paused(found)}", soft_wrap=True)
    if runs := _running(deployment, model):
        out.print(f"execution {runs} goes on: `handsoff stop {runs}` ends it", soft_wrap=True)


def resume(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, in one line; it is recorded with your name.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the pause as JSON, for scripts.")] = False,
) -> None:
    """Resume a model that was paused: what waits starts within a minute or two.

    A model that handsoff.yaml pauses (`retrain.paused: true`) stays paused until that is published otherwise.

    Example: `handsoff resume titanic`
    """
    where = terminal.project()
    config = where.config.models[where.model(model)]
    why = decisions.reason(reason) if reason.strip() else ""
    deployment = terminal.deployment(where)
    with logs_silenced():
        found = pausing.resume(model, by=deployment.caller, why=why, using=deployment.collaborators)
    if as_json:
        terminal.print_json(_pause_as_json(model, found))
        return
    out.print(f"{model}: {_resumed(found, len(model_state(deployment, model).pending))}", soft_wrap=True)
    if config.retrain.paused:
        out.print(
            "handsoff.yaml pauses it, too: set retrain.paused to false, then `handsoff publish`",
            soft_wrap=True,
        )


def _paused(found: Outcome) -> str:
    stands = found.pause
    if stands is None:  # pause always leaves one
        return "paused"
    already = "" if found.ours else " already"
    return f"paused{already} since {moment(stands.since)} by {escape(stands.by)}: {escape(stands.why)}"


def _resumed(found: Outcome, waiting: int) -> str:
    if not found.ours:
        return f"not paused{_before(found.pause)}; nothing was changed"
    starts = "one start serves what waits, within two minutes" if waiting else "nothing waits"
    return f"resumed; {starts}"


def _before(last: PauseFact | None) -> str:
    if last is None or last.resumed is None:
        return ""
    return f" since {moment(last.resumed.at)}, when {escape(last.resumed.by)} resumed it"


def _pause_as_json(model: str, found: Outcome) -> dict[str, object]:
    return {
        "model": model,
        "paused": bool(found.pause and found.pause.stands),
        "changed": found.ours,
        "pause": found.pause.as_json() if found.pause else None,
    }


def _running(deployment: Deployment, model: str) -> str | None:
    """The id of the execution that handsoff started and that runs still."""
    state = model_state(deployment, model)
    arn = state.running.execution_arn if state.running else None
    return escape(arn.rsplit("/", 1)[-1]) if arn else None


def stop(
    execution: Annotated[
        str, typer.Argument(metavar="EXECUTION", help="Its id or ARN, as `handsoff status` shows it.")
    ],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, in one line; it is recorded with your name.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of it as JSON.")] = False,
) -> None:
    """Stop an execution. Its jobs end within a minute or two, and approvers are told once, with your reason.

    Its batch counts as started: the same files start nothing when they land again, and `handsoff start MODEL`
    trains on them. Requests that came meanwhile start next; `handsoff pause MODEL` holds them back. A package
    that it has registered already is judged as any other. What has ended cannot be stopped: the exit code is
    then 1.

    Example: `handsoff stop 4kx2m1q8s0zt --reason "wrong file"`
    """
    why = decisions.reason(reason) if reason.strip() else ""
    deployment = terminal.deployment()
    with err.status("looking for the execution"):
        found = find_execution(deployment, execution)
    stopped = stop_execution(deployment, found, why)
    model = found.pipeline.removeprefix(f"{deployment.prefix}-")
    if as_json:
        terminal.print_json(_stop_as_json(stopped))
    elif stopped.result != "ended":
        out.print(f"{stopped.execution.identity}: {escape(_stop_words(stopped))}", soft_wrap=True)
        for line in _after_stop(deployment, model):
            out.print(line, soft_wrap=True)
    if stopped.result == "ended":
        ended = stopped.execution
        raise Refused(
            f"{ended.identity} has ended already: {ended.status} {age(ended.last_modified)} ago; "
            "nothing was stopped"
        )


def _stop_words(found: Stopped) -> str:
    asked = f", asked for by {found.asked.by} at {moment(found.asked.at)}" if found.asked else ""
    match found.result:
        case "asked":
            return "it stops; approvers are told once it has"
        case "again":
            return f"it is being stopped already{asked}"
        case _:
            return f"it was stopped already{asked}"


def _after_stop(deployment: Deployment, model: str) -> list[str]:
    """What becomes of the start, and of what waits behind it."""
    lines = [
        "its batch counts as started: the same files start nothing when they land again, "
        f"`handsoff start {escape(model)}` trains on them"
    ]
    if waiting := len(model_state(deployment, model).pending):
        lines.append(
            f"{waiting} start request{'s' if waiting > 1 else ''} came meanwhile and "
            f"start{'' if waiting > 1 else 's'} next: `handsoff pause {escape(model)}` holds them back"
        )
    return lines


def _stop_as_json(found: Stopped) -> dict[str, object]:
    return {
        "pipelineExecutionArn": found.execution.arn,
        "result": found.result,
        "pipelineExecutionStatus": found.execution.status,
        "asked": found.asked.model_dump(by_alias=True, mode="json") if found.asked else None,
    }
