"""Shows the evidence of an execution, and who decided on its model package."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console

from handsoff.showing.console import coloured, escape, moment, print_lines
from retraining.candidates.state import said_by


def show_evidence(console: Console, found: dict[str, Any]) -> None:
    """Print the evidence of an execution. Long names stay in one piece, so that they can be copied."""
    lines = [*_execution_lines(found), *_verdict_lines(found), ("", "")]
    for step in found["steps"]:
        times = f"{_clock(step['startTime'])} – {_clock(step['endTime'])}"
        lines.append((step["name"], f"{coloured(step['status'])}  {times}"))
        if step["failureReason"]:
            lines.append(("", f"[red]{escape(step['failureReason'])}[/]"))
        if step["logs"]:
            lines.append(("", f"[dim]{escape(_log_command(found, step['name']))}[/]"))
    lines += [
        ("missing" if not n else "", f"[red]{escape(text)}[/]")
        for n, text in enumerate(found.get("missing", []))
    ]
    print_lines(console, lines)


def _execution_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    trigger = found["trigger"]
    asked = f" by {trigger['requestedBy']}" if trigger.get("requestedBy") else ""
    return [
        ("execution", escape(found["pipelineExecutionArn"])),
        ("status", coloured(found["pipelineExecutionStatus"])),
        ("trigger", escape(f"{trigger['kind']}{asked}")),
        ("started", moment(found["startTime"])),
        ("batch", escape(str(found["data"].get("batch")))),
        *(("", text) for text in _data(found["data"])),
        *(("training" if not n else "", text) for n, text in enumerate(_training(found.get("training")))),
    ]


def _training(found: dict[str, Any] | None) -> list[str]:
    """The code, the image and the instances; nothing in evidence of an earlier version."""
    if not found or not found["codeSha256"]:
        return []
    own = f" ({found['sourceDir']}, {found['entryPoint']})" if found["sourceDir"] else ""
    spot = ", spot" if found["spot"] else ""
    given = ", ".join(f"{name} {value}" for name, value in found["hyperparameters"].items())
    lines = [
        f"code {found['codeSha256'][:12]}{own}",
        f"image {found['image']}",
        *([f"hyperparameters: {given}"] if given else []),
        f"{found['instanceCount']} × {found['instanceType']}{spot}",
    ]
    return [escape(line) for line in lines]


def _verdict_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    verdict = found["verdict"]
    return [
        ("model package", escape(found["modelPackageArn"] or "—")),
        ("approval", approval(found)),
        *decision_lines(found),
        ("verdict", coloured(verdict["decision"] if verdict else None)),
        *((("champion", escape(verdict["champion"])),) if verdict and verdict["champion"] else ()),
        *(("", escape(text)) for text in _reasons(verdict)),
        *(
            (name, "undefined" if value is None else f"{value:.4f}")
            for name, value in found["metrics"].items()
        ),
    ]


def approval(found: dict[str, Any]) -> str:
    """The approval status of evidence or of a judgement, and who decided."""
    if found["modelApprovalStatus"] is None:
        return "—"
    if found["modelApprovalStatus"] == "PendingManualApproval":
        return f"{coloured('PendingManualApproval')}: waits for a person"
    return f"{coloured(found['modelApprovalStatus'])} {_decided_by(found)}".rstrip()


def decision_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Who decided, when and why; before that, the decisions that were replaced."""
    lines = []
    for earlier in found["earlierDecisions"]:
        who = escape(said_by(earlier["by"], earlier.get("who")))
        when = f"{moment(earlier['at'])} {who}: {escape(earlier['why'])}"
        lines.append(("decided before", f"{coloured(earlier['status'])} {when}"))
    if found["decidedAt"]:
        lines.append(("decided", f"{moment(found['decidedAt'])} {_decided_by(found)}"))
        if found["decidedWhy"] and found["decidedBy"] != "rules":
            lines.append(("", escape(found["decidedWhy"])))
    return lines


def _decided_by(found: dict[str, Any]) -> str:
    by = found["decidedBy"]
    return escape(said_by(by, found["decidedWho"])) if by else ""


def _data(data: dict[str, Any]) -> list[str]:
    """The rows of each split, and how many are left out; nothing where preprocessing did not finish."""
    if not data.get("splits"):
        return []
    counts = {
        "are also training rows": data.get("validationRowsAlsoInTrain", 0),
        "are of groups in train": data.get("validationRowsOfTrainGroups", 0),
    }
    left_out = " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    notes = {"validation": f" ({left_out} and left out)"} if left_out else {}
    rows = ", ".join(
        f"{name} {split['rows']:,} rows{notes.get(name, '')}" for name, split in data["splits"].items()
    )
    ignored = ", ".join(data.get("ignoredColumns", ())) or "none"
    return [escape(rows), escape(f"ignored columns: {ignored}")]


def _reasons(verdict: dict[str, Any] | None) -> list[str]:
    """Every rule's inequality, then the reasons that belong to no rule."""
    if verdict is None:
        return []
    rules = [rule["text"] for rule in verdict["rules"]]
    return [*rules, *(reason for reason in verdict["reasons"] if reason not in rules)]


def _log_command(found: dict[str, Any], step: str) -> str:
    """The command that prints the log of a step's job."""
    return f"handsoff logs {found['pipelineExecutionArn'].rsplit('/', 1)[-1]} --step {step}"


def _clock(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S") if text else "…"
