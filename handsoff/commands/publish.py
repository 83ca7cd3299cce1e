"""The command that publishes rules, settings and code of models, after showing what changes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import typer
import yaml

from handsoff.commands import terminal
from handsoff.commands.terminal import out
from handsoff.deploying import render as rendering
from handsoff.deploying.publish_plan import Change, PublishPlan, as_json, plan
from handsoff.deploying.publishing import PublishedModel, publish_model
from handsoff.deployment import Deployment
from handsoff.project import Project
from handsoff.showing.console import escape
from pipeline_def.source import shown

KEY_WIDTH: Final = 28
"""Characters of the column of keys."""

MAX_SHOWN: Final = 120
"""Characters of a mapping or a list that are shown; a longer one is named."""

SHA_SHOWN: Final = 12
"""Characters of a SHA-256 that are shown."""


def publish(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only this model.")] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before something changes.")] = False,
    as_json_: Annotated[
        bool, typer.Option("--json", help="Print what changes as JSON, for scripts.")
    ] = False,
) -> None:
    """Show what changes of the models, then publish their step code, pipelines and configs.

    It shows each value before and after, and on AWS asks before it changes anything. It also renders what
    Terraform reads, so that a plan stays empty. It needs a deployment. Publishing retrains nothing: new rules
    count from the next verdict on, new code and training settings from the next execution on. `handsoff start
    MODEL` makes one on the data that is there.

    Example: `handsoff publish titanic --plan`
    """
    where = terminal.project_to_publish()
    deployment = terminal.deployment(where)
    plans = [plan(deployment, name) for name in ([where.model(model)] if model else where.config.models)]
    if not as_json_:
        for found in plans:
            if found.changes or plan_only:
                _show(found)
    if not plan_only:
        _confirm(deployment, plans, yes=yes)
    done = [] if plan_only else [publish_model(deployment, found.model) for found in plans]
    if as_json_:
        terminal.print_json({"published": not plan_only, "models": [as_json(found) for found in plans]})
    else:
        _tell(plans, done)
    if not plan_only:
        _render(where, deployment)


def _confirm(deployment: Deployment, plans: list[PublishPlan], *, yes: bool) -> None:
    """Ask whether to publish what has changed. Raises NotConfirmed."""
    changed = [found.model for found in plans if found.changes]
    terminal.confirm(deployment, f"Publish {', '.join(changed)}?", yes=yes or not changed)


def _show(found: PublishPlan) -> None:
    """Print the changes of a model, a value in a line."""
    if not found.changes:
        out.print(f"{found.model}: nothing to change")
        return
    out.print(f"[bold]{found.model}[/]")
    for change in found.settings:
        for line in _lines(change):
            out.print(f"  {change.key:<{KEY_WIDTH}} {escape(line)}", soft_wrap=True)
    if found.code_changed:
        before, after = (str(sha256 or "—")[:SHA_SHOWN] for sha256 in (found.code.before, found.code.after))
        out.print(f"  {'code':<{KEY_WIDTH}} {before} → {after}", soft_wrap=True)
        if found.files:
            out.print(f"  {'files':<{KEY_WIDTH}} {escape(shown(found.files))}", soft_wrap=True)
    for line in _pipeline_lines(found.pipeline):
        out.print(f"  pipeline: {escape(line)}", soft_wrap=True)


def _pipeline_lines(changes: Iterable[Change]) -> Iterator[str]:
    """A line for each single value, and one for each step with the number of its other changes."""
    others: Counter[str] = Counter()
    for change in changes:
        step = ".".join(change.key.split(".")[:2])
        if change.key == step or not isinstance(change.before or change.after, dict | list):
            (line,) = _lines(change)
            yield f"{change.key}  {line}"
        else:
            others[step] += 1
    for step, number in others.items():
        yield f"{step}  {number} lists or mappings: --json has them"


def _lines(change: Change) -> Iterator[str]:
    """`before → after`; for two lists the entries that go, and those that come."""
    before, after = change.before, change.after
    if isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        new = [item for item in after if item not in before]
        if gone or new:
            yield from (f"- {_text(item)}" for item in gone)
            yield from (f"+ {_text(item)}" for item in new)
            return
    if _is_long(before) or _is_long(after):
        yield "added" if before is None else "removed" if after is None else "changed: --json has it whole"
        return
    yield f"{_text(before)} → {_text(after)}"


def _is_long(value: Any) -> bool:
    """Whether a value, such as a whole step, is too long to be read in a line."""
    return isinstance(value, dict | list) and len(_text(value)) > MAX_SHOWN


def _text(value: Any) -> str:
    """A value in one line; — where there is none."""
    if value is None:
        return "—"
    if isinstance(value, dict | list):  # as in handsoff.yaml
        flow = yaml.safe_dump(
            value, default_flow_style=True, sort_keys=False, width=math.inf, allow_unicode=True
        )
        return flow.strip()
    return value if isinstance(value, str) else json.dumps(value)


def _tell(plans: list[PublishPlan], done: list[PublishedModel]) -> None:
    """Print what was published, what `handsoff deploy` has to change, and how to retrain."""
    for found, published in zip(plans, done, strict=False):
        rules = f"rules and settings {'updated' if published.config_changed else 'unchanged'}"
        pipeline = published.pipeline
        out.print(
            f"{found.model}: pipeline {pipeline.change}, {rules}, code {pipeline.code_sha256[:SHA_SHOWN]}, "
            f"{pipeline.pipeline_arn}",
            soft_wrap=True,
        )
    for found in plans:
        if found.schedule:
            (line,) = _lines(found.schedule)
            out.print(
                f"{found.model}: its schedule on AWS is another one: `handsoff deploy` changes it ({line})",
                soft_wrap=True,
            )
        if found.needs_training:
            out.print(
                f"{found.model}: publishing retrains nothing, and files that were trained on start nothing "
                f"when they land again: `handsoff start {found.model}` retrains on the data that is there",
                soft_wrap=True,
            )


def _render(where: Project, deployment: Deployment) -> None:
    if where.terraform.is_dir():
        rendering.write(where, deployment.location)
