"""How `make scan` reads its scanners' results: findings, exceptions, and unchecked parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from checks.scan import LOCKS, ROOT, Report, audits, read_bandit, read_checkov, read_pip_audit, show


def checkov(*failed: str, passed: int = 3, unreadable: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "summary": {"passed": passed},
        "results": {
            "parsing_errors": list(unreadable),
            "failed_checks": [
                {
                    "check_id": name,
                    "check_name": "Ensure it",
                    "file_path": "/template.yaml",
                    "file_line_range": [7, 9],
                    "resource": "AWS::SQS::Queue.Landings",
                }
                for name in failed
            ],
        },
    }


def test_read_checkov_omits_findings_with_an_exception() -> None:
    nothing_there = {"passed": 0}
    report = read_checkov([checkov("CKV_1", "CKV_2"), nothing_there, checkov(passed=4)], ["CKV_2"])
    assert report == Report(
        "checkov",
        ("template.yaml:7 AWS::SQS::Queue.Landings: CKV_1 Ensure it",),
        looked_at="7 checks passed, 1 exceptions",
    )


def test_read_checkov_reports_unreadable_files_and_unneeded_exceptions() -> None:
    report = read_checkov([checkov(unreadable=("terraform/main.tf",))], ["CKV_9"])
    assert report.findings == (
        "terraform/main.tf cannot be read",
        "checkov.yaml: no finding needs the exception CKV_9",
    )


def bandit(*found: tuple[str, int], errors: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    return {
        "errors": list(errors),
        "metrics": {"_totals": {"loc": 1234}},
        "results": [
            {
                "test_id": test,
                "filename": "./handsoff/x.py",
                "line_number": line,
                "line_range": [line, line + 1],
                "issue_text": "It is bad",
            }
            for test, line in found
        ],
    }


NOSEC = "load(x)  # nosec B506 # noqa: S506 - a SafeLoader"


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (NOSEC, False),
        ("load(x)", True),
        ("load(x)  # nosec B505 # noqa: S505 - another test's", True),
        ("load(x)  # nosec B506 # noqa: S506", True),  # no reason
    ],
)
def test_read_bandit_omits_findings_with_a_reason_on_the_line(line: str, counts: bool) -> None:
    report = read_bandit(bandit(("B506", 1)), [], {"handsoff/x.py": [line]})
    assert ("handsoff/x.py:1 B506 It is bad" in report.findings) == counts


def test_read_bandit_accepts_a_comment_on_the_last_line_of_a_call() -> None:
    assert read_bandit(bandit(("B506", 1)), [], {"handsoff/x.py": ["load(", NOSEC]}).findings == ()


def test_read_bandit_reports_unneeded_exceptions() -> None:
    report = read_bandit(bandit(("B404", 1)), ["B404", "B603"], {"handsoff/x.py": ["import y", NOSEC]})
    assert report.findings == (
        "pyproject.toml: no finding needs the exception B603",
        "handsoff/x.py:2 no finding needs the exception B506",
    )
    assert report.looked_at == "1,234 lines, 1 exceptions"


def test_read_bandit_reports_unreadable_files() -> None:
    error = {"filename": "handsoff/x.py", "reason": "syntax error while parsing"}
    assert read_bandit(bandit(errors=(error,)), [], {}).findings == (
        "handsoff/x.py: syntax error while parsing",
    )


FLAWED = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2"], "fix_versions": ["3.1.3"]}],
}
SOUND = {"name": "boto3", "version": "1.43.106", "vulns": []}
UNKNOWN = {"name": "botocore", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "accepted", "expected"),
    [
        ([SOUND], {}, Report("pip-audit x", (), looked_at="1 packages")),
        (
            [SOUND, FLAWED],
            {},
            Report("pip-audit x", ("jinja2 3.1.2: PYSEC-1, fixed in: 3.1.3",), looked_at="2 packages"),
        ),
        ([FLAWED], {"CVE-2": "reason"}, Report("pip-audit x", (), looked_at="1 packages")),
        (
            [SOUND, UNKNOWN],
            {},
            Report(
                "pip-audit x",
                (),
                unchecked="unknown to the advisory service: botocore",
                looked_at="1 packages",
            ),
        ),
        (
            [UNKNOWN],
            {},
            Report("pip-audit x", (), unchecked="the advisory service knows none of the packages"),
        ),
    ],
)
def test_read_pip_audit_reports_advisories(
    packages: list[dict[str, Any]], accepted: dict[str, str], expected: Report
) -> None:
    assert read_pip_audit("x", json.dumps({"dependencies": packages}), "", accepted) == expected


POOL = "HTTPSConnectionPool(host='advisories', port=443): Max retries exceeded"


@pytest.mark.parametrize(
    "complaint",
    [
        f"requests.exceptions.ProxyError: {POOL}",
        f"requests.exceptions.ConnectionError: {POOL}",
        f"requests.exceptions.ReadTimeout: {POOL}",
        f"requests.exceptions.SSLError: {POOL}",
        "ERROR:pip_audit._cli:Could not connect to the vulnerability feed",
    ],
)
def test_read_pip_audit_without_a_service_is_unchecked(complaint: str) -> None:
    report = read_pip_audit("x", "", f"Traceback (most recent call last):\n  ...\n{complaint}\n", {})
    assert report == Report(
        "pip-audit x", (), unchecked=f"the advisory service cannot be reached: {complaint}"
    )


@pytest.mark.parametrize(
    ("complaint", "why"),
    [
        (
            "ERROR:pip_audit._cli:requirement jinja2==3.1.2 does not contain a hash\n",
            "ERROR:pip_audit._cli:requirement jinja2==3.1.2 does not contain a hash",
        ),
        (
            "Traceback:\n  ...\nKeyError: 'ConnectionError'\n",
            "KeyError: 'ConnectionError'",
        ),
        ("pip_audit._service.interface.ServiceError\n", "pip_audit._service.interface.ServiceError"),
        ("", "it printed nothing"),
    ],
)
def test_read_pip_audit_other_failure_is_a_finding(complaint: str, why: str) -> None:
    assert read_pip_audit("x", "", complaint, {}) == Report("pip-audit x", (f"pip-audit failed: {why}",))


def test_audits_continue_after_a_lock_that_could_not_be_checked() -> None:
    unreachable = [report.name for report in audits(lambda lock: Report(lock, (), unchecked="no answer"))]
    assert unreachable == list(LOCKS)
    locks = {
        path.relative_to(ROOT).as_posix()
        for folder in ("requirements", "layers/dependencies")
        for path in (ROOT / folder).glob("*.txt")
    }
    assert locks == set(LOCKS)


@pytest.mark.parametrize(
    ("report", "everything", "code"),
    [
        (Report("x", (), looked_at="1 packages"), True, 0),
        (Report("x", ("a flaw",), looked_at="1 packages"), False, 1),
        (Report("x", (), unchecked="cannot be reached"), False, 0),
        (Report("x", (), unchecked="cannot be reached"), True, 1),
        (Report("x", (), unchecked="not known there: botocore", looked_at="1 packages"), True, 1),
    ],
)
def test_show_fails_for_unchecked_parts_where_everything_is_required(
    report: Report, everything: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show([report, Report("y", (), looked_at="all")], everything=everything) == code
    assert ("NOT CHECKED" in capsys.readouterr().out) == bool(report.unchecked)


def test_workflow_requires_everything() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deliver.yml").read_text())
    (step,) = [step for step in workflow["jobs"]["check"]["steps"] if step.get("run") == "make scan"]
    assert list(step["env"]) == ["SCAN_EVERYTHING"]
    assert step["env"]["SCAN_EVERYTHING"]
