"""Shows what `handsoff verify` found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console

from handsoff.offline.proof import Files
from handsoff.operating.verifying import Verified
from handsoff.showing.console import escape, moment
from retraining.candidates.state import said_by
from retraining.proof.chain import Finding
from retraining.proof.champions import Decided, Reign


def show_verified(console: Console, found: Verified) -> None:
    """Print what was found of one model: the chain, each finding, each note."""
    records, signed = len(found.chain.records), len(found.chain.signed)
    console.print(
        f"[bold]{escape(found.model)}[/] {records} records, {signed} signed by a trusted key", soft_wrap=True
    )
    if found.head:
        console.print(
            f"  the last record is {found.head.sequence}, SHA-256 {found.head.digest}", soft_wrap=True
        )
    _show(console, found.findings, found.notes)
    for item in found.unreadable:
        console.print(f"  [red]unreadable[/] {escape(item.where)}: {escape(item.why)}", soft_wrap=True)
    if found.holds and records:
        console.print("  [green]everything holds[/]")


def show_files(console: Console, found: Files) -> None:
    """Print what was found of files."""
    for record in found.records:
        said = "signed" if record.envelope.signatures else "not signed"
        console.print(
            f"record {record.sequence} of {escape(record.model)}, {said}: {escape(record.execution)}",
            soft_wrap=True,
        )
    for path, number in found.told:
        console.print(f"{escape(str(path))}: as record {number} says", soft_wrap=True)
    _show(console, found.findings, ())
    if found.unchecked:
        said = "no key is named in evidence.signing_key: name the public key by --key"
        console.print(
            f"[red]unreadable[/] the signatures of {found.unchecked} records: {said}", soft_wrap=True
        )
    if found.holds:
        console.print("[green]everything holds[/]")


def _show(console: Console, findings: tuple[Finding, ...], notes: tuple[str, ...]) -> None:
    for item in findings:
        console.print(f"  [red]{item.kind}[/] {escape(item.where)}", soft_wrap=True)
        console.print(f"    expected {escape(item.expected)}", soft_wrap=True)
        console.print(f"    found    {escape(item.found)}", soft_wrap=True)
    for note in notes:
        console.print(f"  [yellow]note[/] {escape(note)}", soft_wrap=True)


def show_reign(console: Console, model: str, at: datetime, reign: Reign | None, *, now: datetime) -> None:
    """Print which package was the champion at a time, who approved it and why, and what ended that."""
    if at > now:
        console.print(f"[yellow]note[/] {moment(at)} is yet to come: this is what stands now", soft_wrap=True)
    if reign is None:
        console.print(
            f"{escape(model)} had no champion at {moment(at)}, as far as its records tell", soft_wrap=True
        )
        return
    console.print(
        f"the champion of {escape(model)} at {moment(at)} was [bold]{escape(reign.approval.package)}[/]",
        soft_wrap=True,
    )
    console.print(f"  {_said(reign.approval)}", soft_wrap=True)
    verdict = reign.evidence.get("verdict") or {}
    for reason in verdict.get("reasons") or ():
        if str(reason) not in (reign.approval.why or ""):  # rules name their reasons as the why
            console.print(f"    {escape(str(reason))}", soft_wrap=True)
    if reign.ended is None:
        console.print("  it is so still, as far as the records tell", soft_wrap=True)
    else:
        package = escape(reign.ended.package)
        console.print(f"  until {package} was {_said(reign.ended)}", soft_wrap=True)


def _said(decided: Decided) -> str:
    who = said_by(decided.by, decided.who) if decided.by else "somebody"
    why = f": {escape(decided.why)}" if decided.why else ""
    return f"{decided.status} {moment(decided.at)} {escape(who)}, record {decided.record}{why}"


def reign_as_json(reign: Reign | None) -> dict[str, Any] | None:
    """The champion at a time as `handsoff verify --json` prints it."""
    if reign is None:
        return None
    return {**_decided(reign.approval), "until": _decided(reign.ended) if reign.ended else None}


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "modelPackageArn": decided.package,
        "status": decided.status,
        "at": decided.at.isoformat(),
        "by": decided.by,
        "who": decided.who,
        "why": decided.why,
        "record": decided.record,
    }


def verified_as_json(found: Verified) -> dict[str, Any]:
    """What was found of one model, as `handsoff verify --json` prints it."""
    return {
        "model": found.model,
        "holds": found.holds,
        "records": len(found.chain.records),
        "signed": len(found.chain.signed),
        "head": {"sequence": found.head.sequence, "sha256": found.head.digest} if found.head else None,
        "findings": [item.as_json() for item in found.findings],
        "unreadable": [{"where": item.where, "why": item.why} for item in found.unreadable],
        "notes": list(found.notes),
    }


def files_as_json(found: Files) -> dict[str, Any]:
    """What was found of files, as `handsoff verify --json` prints it."""
    return {
        "holds": found.holds,
        "records": [
            {"model": item.model, "sequence": item.sequence, "pipelineExecutionArn": item.execution}
            for item in found.records
        ],
        "signed": found.signed,
        "unchecked": found.unchecked,
        "files": {str(path): number for path, number in found.told},
        "findings": [item.as_json() for item in found.findings],
    }
