"""Scans template, Terraform, workflows, code and locked packages for weaknesses; `make scan` runs it.

Every finding counts unless an exception with a reason names it. Exceptions are in checkov.yaml or at the
resource, in pyproject.toml or at the line, or in ACCEPTED. An exception that no finding needs is a finding.
A check that could not run is reported; where SCAN_EVERYTHING is set, as in the workflow, it is a failure.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
TOOLS: Final = ROOT / ".venv-scan" / "bin"
"""The scanners' programs."""

CODE: Final = ("functions", "handsoff", "local", "pipeline_def", "checks")
"""Folders whose Python code bandit scans."""

LOCKS: Final = (
    "layers/dependencies/requirements.txt",
    "requirements/dev.txt",
    "requirements/sam.txt",
    "requirements/scan.txt",
    "requirements/serving.txt",
)
"""Files of locked packages."""

UNREACHABLE: Final = re.compile(
    r"^requests\.exceptions\.(?:\w*ConnectionError|\w*Timeout|ProxyError|SSLError): "
    r"|^ERROR:pip_audit\._cli:(?:Could not connect to|PyPI is not redirecting)",
    re.MULTILINE,
)
"""Matches pip-audit's error output where the advisory service could not be reached."""

ACCEPTED: Final[Mapping[str, str]] = {}
"""Advisories about locked packages that do not affect this project, by id, each with the reason."""


@dataclass(frozen=True)
class Report:
    """A scanner's findings, one line each; `unchecked` says what it could not check, or why."""

    name: str
    findings: tuple[str, ...]
    unchecked: str = ""
    looked_at: str = ""


def read_checkov(results: Iterable[Mapping[str, Any]], excepted: Iterable[str]) -> Report:
    """Read checkov's results, one for each framework. `excepted` are ids of checks with an exception."""
    excepted, used, passed = set(excepted), set[str](), 0
    findings: list[str] = []
    for result in results:
        if "results" not in result:  # no file of this framework
            continue
        passed += result["summary"]["passed"]
        findings += [f"{path} cannot be read" for path in result["results"]["parsing_errors"]]
        for found in result["results"]["failed_checks"]:
            if found["check_id"] in excepted:
                used.add(found["check_id"])
            else:
                where = f"{found['file_path'].lstrip('/')}:{found['file_line_range'][0]}"
                findings.append(f"{where} {found['resource']}: {found['check_id']} {found['check_name']}")
    findings += [f"checkov.yaml: no finding needs the exception {name}" for name in sorted(excepted - used)]
    return Report("checkov", tuple(findings), looked_at=f"{passed} checks passed, {len(used)} exceptions")


def read_bandit(
    result: Mapping[str, Any], excepted: Iterable[str], lines: Mapping[str, Sequence[str]]
) -> Report:
    """Read bandit's result, for which it ignored comments in the code.

    `excepted` are ids of tests with an exception everywhere, `lines` the code's lines by file. A comment with
    nosec, a test's id and a reason is an exception for its line.
    """
    excepted, used = set(excepted), set[object]()
    findings = [f"{error['filename']}: {error['reason']}" for error in result["errors"]]
    comments = {
        (name, number, found[1])
        for name, text in lines.items()
        for number, line in enumerate(text, start=1)
        if (found := re.search(r"# nosec (B\d+) # noqa: \w+ - \w", line))
    }
    for found in result["results"]:
        test, name = found["test_id"], found["filename"].removeprefix("./")
        at = {(name, number, test) for number in found["line_range"]} & comments
        used |= at
        if test in excepted:
            used.add(test)
        elif not at:
            findings.append(f"{name}:{found['line_number']} {test} {found['issue_text']}")
    findings += [f"pyproject.toml: no finding needs the exception {test}" for test in sorted(excepted - used)]
    unneeded = sorted(comments - used)
    findings += [f"{name}:{number} no finding needs the exception {test}" for name, number, test in unneeded]
    total = result["metrics"]["_totals"]["loc"]
    return Report("bandit", tuple(findings), looked_at=f"{total:,} lines, {len(used)} exceptions")


def read_pip_audit(lock: str, said: str, complained: str, accepted: Mapping[str, str]) -> Report:
    """Read pip-audit's JSON in `said`; where that is empty it failed, and `complained` is its error output.

    A package that the service could not look up is unchecked; any other failure is a finding.
    """
    name = f"pip-audit {lock}"
    if not said.strip():
        last = (complained.strip() or "it printed nothing").splitlines()[-1]
        if UNREACHABLE.search(complained):
            return Report(name, (), unchecked=f"the advisory service cannot be reached: {last}")
        return Report(name, (f"pip-audit failed: {last}",))
    packages = json.loads(said)["dependencies"]
    skipped = [item["name"] for item in packages if "skip_reason" in item]
    findings = [
        f"{item['name']} {item['version']}: {flaw['id']}, fixed in: {', '.join(flaw['fix_versions'])}"
        for item in packages
        for flaw in item.get("vulns", [])
        if not {flaw["id"], *flaw["aliases"]} & set(accepted)
    ]
    if len(skipped) == len(packages):
        return Report(name, (), unchecked="the advisory service knows none of the packages")
    unchecked = f"unknown to the advisory service: {', '.join(skipped)}" if skipped else ""
    return Report(name, tuple(findings), unchecked, looked_at=f"{len(packages) - len(skipped)} packages")


def checkov() -> Report:
    """Scan template, Terraform, workflows and secrets."""
    settings = yaml.safe_load((ROOT / "checks" / "checkov.yaml").read_text())
    options = [f"--framework={name}" for name in settings["framework"]]
    options += [f"--skip-path={path}" for path in settings["skip-path"]]
    # Without its settings file, which would hide the findings that exceptions are for.
    said, _ = _run(
        "checkov", "--directory=.", *options, "--enable-secret-scan-all-files", "--skip-download", "-o=json"
    )
    found = json.loads(said)
    return read_checkov(found if isinstance(found, list) else [found], settings["skip-check"])


def bandit() -> Report:
    """Scan the code in CODE."""
    excepted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["bandit"]["skips"]
    lines = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").splitlines()
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }
    said, _ = _run("bandit", "--quiet", "--ignore-nosec", "--format=json", "--recursive", *CODE)
    return read_bandit(json.loads(said), excepted, lines)


def pip_audit(lock: str) -> Report:
    """Look up the packages of a lock file in the advisory service."""
    options = ("--require-hashes", "--disable-pip", "--format=json", f"--requirement={lock}")
    return read_pip_audit(lock, *_run("pip-audit", *options), ACCEPTED)


def _run(tool: str, *arguments: str) -> tuple[str, str]:
    """The tool's standard output and its error output."""
    done = subprocess.run(
        [str(TOOLS / tool), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1) or (not done.stdout and tool != "pip-audit"):
        raise SystemExit(f"{tool} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def main() -> int:
    """Print every report. Returns 1 for a finding, or for an unchecked part where SCAN_EVERYTHING is set."""
    return show(reports(), everything=bool(os.environ.get("SCAN_EVERYTHING")))


def show(reports: Iterable[Report], *, everything: bool) -> int:
    """Print the reports. Returns 1 for a finding; with `everything` for an unchecked part, too."""
    failed = False
    for report in reports:
        failed = failed or bool(report.findings) or (everything and bool(report.unchecked))
        said = [report.looked_at, report.unchecked and f"NOT CHECKED: {report.unchecked}"]
        print(f"{report.name}: {'; '.join(filter(None, said)) or 'FAILED'}")
        for line in report.findings:
            print(f"  {line}")
    return int(failed)


def reports() -> Iterable[Report]:
    """Run all scanners."""
    yield checkov()
    yield bandit()
    yield from audits()


def audits(look: Callable[[str], Report] = pip_audit) -> Iterable[Report]:
    """Audit each lock file, also after one that failed."""
    return map(look, LOCKS)


if __name__ == "__main__":
    sys.exit(main())
