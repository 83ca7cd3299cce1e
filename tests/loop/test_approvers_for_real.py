"""Approvers on AWS on this machine: told over SNS and Slack, deciding by page, Slack, command, console."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from handsoff.operating.executions import evidence_of, package_of
from retraining.facts import keys
from tests.loop.conftest import TITANIC, Loop, deployed, handsoff, wait
from tests.loop.visitors import fields, send, slack_app, with_parameters
from tests.review.conftest import ARGUMENTS
from tests.slack.stand_in import Slack

pytestmark = pytest.mark.story

HELD = {"metric": "recall", "min": 0.99, "on_fail": "hold"}
RULES = {"rules": [{"metric": "accuracy", "min": 0.6}, HELD]}
STORIES: dict[str, Any] = {
    name: {"approval": RULES, "approvers": {"slack_channel": "#ml-approvals", "slack_users": ["U0123ABCD"]}}
    for name in ("page", "browser", "slack", "command", "console")
}
TRAIN = (TITANIC / "train.csv").read_bytes()


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Loop]:
    """A deployment of its own: these stories give the stack other parameters."""
    with deployed(STORIES, tmp_path_factory.mktemp("approvers"), ready_build) as found:
        yield found


@pytest.fixture(scope="module")
def slack(loop: Loop) -> Iterator[Slack]:
    """Slack, with the stack that tells it."""
    with slack_app(loop) as app:
        yield app


@pytest.fixture(scope="module", autouse=True)
def held(loop: Loop, slack: Slack) -> None:  # noqa: ARG001 - Slack is there before anything is told
    """A candidate of each story, registered beside the others, which the rules leave to a person."""
    for name in STORIES:
        loop.land(name, TRAIN)


def decided(loop: Loop, name: str, status: str) -> dict[str, Any]:
    """The evidence, once the registry shows the decision and it has been recorded."""
    execution = loop.settled(name, 1)

    def look() -> dict[str, Any] | None:
        package = package_of(loop.deployment, execution)
        assert package is not None
        fact = loop.deployment.ledger.get(keys.decision(package.arn))
        return evidence_of(loop.deployment, execution) if fact and fact.recorded_at else None

    found = wait(f"the decision on {name}", look)
    assert found["modelApprovalStatus"] == status
    return found


def test_page_decides_only_for_a_signed_link_and_its_own_form(loop: Loop) -> None:
    url = loop.told("page", "waiting")["reviewUrl"]
    assert url.startswith(loop.deployment.outputs["ReviewUrl"])
    status, headers, page = send(loop, "GET", url)
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "recall: 0." in page
    assert "page" in page
    status, _, _ = send(loop, "GET", url[:-3] + "abc")
    assert status in (400, 403, 404)

    origin = f"http://{urlsplit(url).netloc}"
    typed = {"decision": "Approved", "name": "Ada <b>Lovelace", "reason": "recall is good enough"}
    form = urlencode({**fields(page), **typed}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, _ = send(loop, "POST", url, form, {**kind, "Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert status == 403
    assert evidence_of(loop.deployment, loop.settled("page", 1))["decidedBy"] is None
    status, _, _ = send(loop, "POST", url, form, {**kind, "Origin": origin, "Sec-Fetch-Site": "same-origin"})
    assert status == 303
    found = decided(loop, "page", "Approved")
    assert (found["decidedBy"], found["decidedWho"]) == ("link", "Ada <b>Lovelace")
    assert found["decidedWhy"] == "recall is good enough"
    told = loop.told("page", "approved")
    assert (told["decidedBy"], told["decidedWho"]) == ("link", "Ada <b>Lovelace")
    _, _, after = send(loop, "GET", url)
    assert "<b>Lovelace" not in after
    assert "Lovelace" in after
    assert not fields(after)


def test_link_of_the_notification_decides_in_a_browser(loop: Loop) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    url = loop.told("browser", "waiting")["reviewUrl"]
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(java_script_enabled=False)
        page.goto(url)
        page.get_by_label("Reject", exact=True).check()
        page.get_by_label("Your name").fill("Grace Hopper")
        page.get_by_label("Reason").fill("too few rows of women")
        page.get_by_role("button", name="Record the decision").click()
        assert "Rejected" in page.title()
        assert "Grace Hopper" in page.content()
        browser.close()
    assert decided(loop, "browser", "Rejected")["decidedWho"] == "Grace Hopper"


def test_slack_button_decides_and_updates_its_message(loop: Loop, slack: Slack) -> None:
    loop.told("slack", "waiting")

    def message() -> dict[str, Any] | None:
        return next((item for item in slack.messages() if item["text"].startswith("slack: ")), None)

    posted = wait("the message in Slack", message)
    door = f"{loop.deployment.outputs['ReviewUrl']}slack"
    headers, body = slack.press(posted, "approve", user="U0STRANGER")
    assert send(loop, "POST", door, body, headers)[0] == 200
    wait("the refusal", lambda: slack.answers)
    assert evidence_of(loop.deployment, loop.settled("slack", 1))["decidedBy"] is None
    headers, body = slack.press(posted, "approve", reason="looks right")
    assert send(loop, "POST", door, body + b" ", headers)[0] in (401, 403)
    assert send(loop, "POST", door, body, headers)[0] == 200
    found = decided(loop, "slack", "Approved")
    assert found["decidedBy"] == "slack"
    assert found["decidedWho"].startswith("U0123ABCD")
    assert found["decidedWhy"] == "looks right"

    def updated() -> bool:
        now = [item for item in slack.messages() if item["ts"] == posted["ts"]]
        return "looks right" in json.dumps(now) and '"button"' not in json.dumps(now)

    wait("the message to be updated", updated)


def test_command_line_decides_once(loop: Loop) -> None:
    loop.told("command", "waiting")
    handsoff(loop, "reject", "command/1", "--reason", "recall of women")
    late = handsoff(loop, "approve", "command/1", "--reason", "but I like it", code=1)
    assert "ejected" in late.stderr + late.stdout
    found = decided(loop, "command", "Rejected")
    assert found["decidedBy"] == "operator"
    assert found["decidedWho"].startswith("arn:aws:")
    assert loop.told("command", "rejected")["decidedBy"] == "operator"


def test_decision_in_the_console_is_recorded_and_notified(loop: Loop, slack: Slack) -> None:
    arn = loop.told("console", "waiting")["modelPackageArn"]
    loop.deployment.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good for us"
    )
    assert loop.told("console", "approved")["decidedBy"] == "person"
    assert decided(loop, "console", "Approved")["decidedWhy"] == "good for us"
    wait(
        "the message in Slack",
        lambda: any(
            item["text"].startswith("console: ") and "good for us" in json.dumps(item)
            for item in slack.messages()
        ),
    )


def test_changed_parameter_publishes_a_new_snapshot_version(loop: Loop) -> None:
    """The last one here: it changes what the others are about. The page's address stays."""
    functions = loop.cloud.client("lambda")
    name = "handsoff-review-candidate"

    def served() -> Any:
        """The configuration of the version behind the page."""
        assert functions.get_function_url_config(FunctionName=name, Qualifier="live")["FunctionUrl"] == page()
        assert send(loop, "GET", f"{page()}review?t=none")[0] == 403
        return functions.get_function_configuration(FunctionName=name, Qualifier="live")

    def page() -> str:
        (stack,) = loop.cloud.client("cloudformation").describe_stacks(StackName="handsoff")["Stacks"]
        return str(next(out["OutputValue"] for out in stack["Outputs"] if out["OutputKey"] == "ReviewUrl"))

    address = page()
    with_parameters(loop, SnapStart="PublishedVersions", Runtime="python3.13")
    assert page() == address
    first = served()
    assert first["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    another = "arn:aws:secretsmanager:us-east-1:123456789012:secret:another-abcdef"
    with_parameters(loop, SlackSecret=another)
    second = served()
    assert second["Environment"]["Variables"]["SLACK_SECRET"] == another
    assert second["Version"] != first["Version"]
    versions = [one["Version"] for one in functions.list_versions_by_function(FunctionName=name)["Versions"]]
    assert second["Version"] in versions
    assert first["Version"] not in versions  # a snapshot is paid for as long as its version is there
