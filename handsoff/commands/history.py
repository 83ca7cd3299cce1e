"""Commands about the history of models: all at a glance, the versions of one, two versions side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.errors import NotDeployed, UsageError
from handsoff.operating.comparing import as_json as compared_as_json
from handsoff.operating.comparing import compare as side_by_side
from handsoff.operating.overview import Overview, overview
from handsoff.operating.overview import as_json as overview_as_json
from handsoff.operating.versions import as_json as version_as_json
from handsoff.operating.versions import model_versions, need_evaluation, version_of
from handsoff.showing.comparing import show_comparison
from handsoff.showing.console import escape
from handsoff.showing.history import show_overview, show_versions
from retraining.config.tasks import METRICS
from retraining.history import main_metric

VERSION = "A version of the model, such as 4."
"""Help of the arguments that name a version."""


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show all models at a glance: champion, what waits, the last result, the next schedule, pauses.

    The champion is shown with the time since its approval, and with the model's main metric and its 95 %
    interval. That is the metric of the first rule that a bad model would fail. The next schedule is in the
    schedule's own time zone. `handsoff status MODEL` has the details of one model.

    Example: `handsoff models`
    """
    where = terminal.project()
    deployment, now = terminal.deployment(where), datetime.now(UTC)
    found: list[Overview] = []
    missing: list[NotDeployed] = []
    with err.status("reading the models") as progress:
        for name in where.config.models:
            progress.update(f"reading {name}")
            try:
                found.append(overview(deployment, name, now))
            except NotDeployed as error:
                missing.append(error)
    if missing and not found:
        raise missing[0]
    if as_json:
        terminal.print_json({item.name: overview_as_json(item) for item in found})
    else:
        for item in found:
            show_overview(out, item, now)
    for problem in missing:
        err.print(f"[yellow]{escape(str(problem))}[/]", soft_wrap=True)


def versions(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model in handsoff.yaml.")],
    metric: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="The metric to draw. Without it, the model's main metric."),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=100, help="Versions to show, the newest first.")
    ] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all metrics, verdicts and decisions as JSON, for scripts.")
    ] = False,
) -> None:
    """Show the versions of a model: one metric over time, decisions, and when each was champion.

    Each line draws the metric and its 95 % interval on one scale: ● is a champion of now or before, ○ any
    other version. The letter before the number of validation rows names the set of rows: two versions with
    the same letter were measured on the same rows. If the letters differ, a difference may come from the
    rows. `handsoff compare MODEL 4 7` says more about two of them.

    Example: `handsoff versions titanic`

    Example: `handsoff versions titanic --metric roc_auc --limit 30`
    """
    where = terminal.project()
    config = where.config.models[where.model(model)]
    if metric is not None and metric not in METRICS[config.task]:
        raise UsageError(
            f"{metric} is not a metric of {config.task}; its metrics are {', '.join(METRICS[config.task])}"
        )
    with err.status(f"reading the versions of {model}"):
        found = model_versions(terminal.deployment(where), model, limit)
    if as_json:
        terminal.print_json([version_as_json(item) for item in found])
    else:
        show_versions(out, model, found, metric or main_metric(config.task, config.approval))


def compare(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model in handsoff.yaml.")],
    first: Annotated[str, typer.Argument(metavar="VERSION", help=VERSION)],
    second: Annotated[str, typer.Argument(metavar="VERSION", help=VERSION)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Show two versions of a model side by side: metrics with intervals, slices, and what their data holds.

    The numbers are those of the stored evaluations; nothing is measured anew. If one version was compared
    with the other as its champion or anchor, the numbers are of the rows that both share, and the difference
    has bounds. Otherwise each version has its own numbers, and the first line says whether the rows are the
    same and what that means.

    Example: `handsoff compare titanic 4 7`
    """
    where = terminal.project()
    config = where.config.models[where.model(model)]
    deployment = terminal.deployment(where)
    with err.status(f"reading versions {first} and {second} of {model}"):
        one, two = (need_evaluation(version_of(deployment, model, name)) for name in (first, second))
    if one.number == two.number:
        raise UsageError(f"{first} and {second} are the same version: name two")
    found = side_by_side(one, two, main_metric(config.task, config.approval))
    if as_json:
        terminal.print_json(compared_as_json(found))
    else:
        show_comparison(out, model, found)
