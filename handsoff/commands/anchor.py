"""The command anchor: the package that a model's candidates must not fall behind over many weeks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from handsoff.commands import terminal
from handsoff.commands.decisions import PACKAGE, REASON
from handsoff.commands.terminal import out
from handsoff.deployment import Deployment
from handsoff.errors import UsageError
from handsoff.operating.decisions import logs_silenced
from handsoff.operating.packages import find_package
from handsoff.showing.console import escape, moment, print_lines
from retraining.candidates import anchoring, decisions
from retraining.facts.anchors import AnchorFact, EarlierAnchor


def anchor(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model in handsoff.yaml.")],
    package: Annotated[str | None, typer.Argument(metavar="PACKAGE", help=PACKAGE)] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help=REASON)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the anchor as JSON, for scripts.")] = False,
) -> None:
    """Show the anchor of a model, or move it to another approved package.

    Rules with `versus_anchor` compare each candidate with the anchor. It is the first approved package until
    a person moves it, so champions that each lose a little stay near it. Move it when it is no measure any
    more: its files are gone, or the data has become another.

    A move is recorded with your name, the ARN of the AWS identity that you use, and approvers are told. A
    candidate that was compared with the former anchor is held. Moving it to where it is changes nothing.

    Example: `handsoff anchor titanic`

    Example: `handsoff anchor titanic titanic/7 --reason "new sensors since May"`
    """
    name = terminal.project().model(model)
    if package is None and reason is not None:
        raise UsageError("--reason goes with PACKAGE, the package that becomes the anchor")
    if package is not None and not (reason or "").strip():
        raise UsageError('moving the anchor needs --reason "…": it is recorded')
    deployment = terminal.deployment()
    found = _moved(deployment, name, package, reason or "") if package else _known(deployment, name)
    if as_json:
        terminal.print_json({"model": name, "anchor": found.as_evidence() if found else None})
    elif found is None:
        out.print(f"{name} has no anchor: the first approved package becomes the anchor", soft_wrap=True)
    else:
        _show(found)


def _known(deployment: Deployment, model: str) -> AnchorFact | None:
    with logs_silenced():
        return anchoring.current(deployment.resource_name(model), deployment.collaborators)


def _moved(deployment: Deployment, model: str, package: str, why: str) -> AnchorFact:
    why = decisions.reason(why)
    to = find_package(deployment, package)
    with logs_silenced():
        return anchoring.move(model, to, who=deployment.caller, why=why, using=deployment.collaborators)


def _show(fact: AnchorFact) -> None:
    lines: list[tuple[str, Any]] = [("anchor", escape(fact.package)), ("set", _set(fact))]
    lines += [("earlier", f"{escape(item.package)}: {_set(item)}") for item in reversed(fact.earlier)]
    print_lines(out, lines)


def _set(fact: EarlierAnchor) -> str:
    """When and how a package became the anchor."""
    if fact.by == "first":
        return f"{moment(fact.at)}, as the first approved package"
    return f"{moment(fact.at)} by {escape(fact.who or 'a person')}: {escape(fact.why)}"
