"""Alarms lead to the runbook, the dashboard shows metrics that exist, and the queries find their lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import judge_candidate
import reconcile
import record_decision
import start_retraining
import track_execution
from retraining.aws.measures import METRICS, NAMESPACE
from retraining.collaborators import Collaborators
from tests.functions.fakes import Context, about, arn_of, event, register
from tests.functions.logged import Logged
from tests.functions.starts.test_start_retraining import batch, land_titanic
from tests.functions.world import World
from tests.template import RESOURCES

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs" / "how-to" / "runbook.md").read_text()
ALARMS = {
    name: item["Properties"] for name, item in RESOURCES.items() if item["Type"] == "AWS::CloudWatch::Alarm"
}
OF_AWS = {
    "AWS/Lambda": {"Errors", "Throttles", "Invocations"},
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    },
}
"""Metrics of AWS that alarms and dashboard use: "Types of metrics for Lambda functions", "Available
CloudWatch metrics for Amazon SQS"."""


def sections() -> dict[str, str]:
    """The text of each section of the runbook, by its anchor."""
    found = {}
    for part in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        found[re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")] = text
    return found


# ---- alarms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_names_its_section_which_says_what_to_do(name: str) -> None:
    alarm = ALARMS[name]
    anchor = re.search(r"Runbook: docs/how-to/runbook\.md#([a-z-]+)$", alarm["AlarmDescription"])
    assert anchor
    section = sections()[anchor[1]]
    parts = ["**What it means.**", "**How to look.**", "**What to do.**", "**When it clears.**"]
    assert [part for part in parts if part not in section] == []
    looking = section.partition("**How to look.**")[2].partition("**What to do.**")[0]
    assert "```" in looking  # commands
    said = alarm["AlarmName"]["Fn::Sub"].replace("${Prefix}", "handsoff")
    general = re.sub(r"handsoff-[a-z-]+-(errors|throttles)$", r"handsoff-<function>-\1", said)
    general = re.sub(r"handsoff-[a-z-]*failures-age$", "…-failures-age", general)
    assert f"`{general}`" in section
    assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_watches_a_metric_that_exists_under_dimensions_that_it_has(name: str) -> None:
    alarm = ALARMS[name]
    names = [item["Name"] for item in alarm["Dimensions"]]
    if alarm["Namespace"] == NAMESPACE:
        assert () in METRICS[alarm["MetricName"]].sets
        assert alarm["Dimensions"] == [{"Name": "service", "Value": {"Ref": "Prefix"}}]
    else:
        assert alarm["MetricName"] in OF_AWS[alarm["Namespace"]]
        assert names == {"AWS/Lambda": ["FunctionName"], "AWS/SQS": ["QueueName"]}[alarm["Namespace"]]


def test_each_function_has_alarms_on_errors_and_throttles() -> None:
    functions = {name for name, item in RESOURCES.items() if item["Type"] == "AWS::Serverless::Function"}
    for metric in ("Errors", "Throttles"):
        watched = {
            alarm["Dimensions"][0]["Value"]["Ref"]
            for alarm in ALARMS.values()
            if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
        }
        assert watched == functions


def test_what_is_overdue_rings_at_once_and_ends_when_it_is_not_sent() -> None:
    ours = {alarm["MetricName"]: alarm for alarm in ALARMS.values() if alarm["Namespace"] == NAMESPACE}
    assert set(ours) == {"ExecutionsOverdue", "SuccessesOverdue", "LandingsOverdue", "CandidatesOverdue"}
    assert {
        (alarm["Statistic"], alarm["Threshold"], alarm["Period"], alarm["TreatMissingData"])
        for alarm in ours.values()
    } == {("Maximum", 0, 300, "notBreaching")}


# ---- the dashboard -----------------------------------------------------------------------------------------


def widgets() -> list[dict[str, Any]]:
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in {"Prefix": "handsoff", "AWS::Region": "us-east-1"}.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text.replace("${!", "")
    found: list[dict[str, Any]] = json.loads(text.replace("${!", "${"))["widgets"]
    return found


def shown() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Namespace, name and dimensions of each metric on the dashboard."""
    for widget in widgets():
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                found = re.fullmatch(
                    r"SEARCH\('\{(\w+),([\w,]+)\} service=\"handsoff\" MetricName=\"(\w+)\"', '\w+', \d+\)",
                    metric[0]["expression"],
                )
                assert found
                yield found[1], found[3], frozenset(found[2].split(","))
            else:
                namespace, name, *rest = metric
                yield namespace, name, frozenset(rest[:-1:2])


def test_dashboard_shows_metrics_that_exist_under_dimensions_that_they_have() -> None:
    found = list(shown())
    assert len(found) > 40
    for namespace, name, dimensions in found:
        if namespace == NAMESPACE:
            assert dimensions in [{"service", *names} for names in METRICS[name].sets], name
        else:
            assert name in OF_AWS[namespace]
            assert dimensions == {"AWS/Lambda": {"FunctionName"}, "AWS/SQS": {"QueueName"}}[namespace]


def test_dashboard_has_what_the_issue_of_operators_is_about() -> None:
    names = {name for _, name, _ in shown()}
    assert {
        *("StartsAdmitted", "StartsWaiting", "StartsRefused", "ExecutionsSucceeded", "ExecutionsFailed"),
        *("StepDuration", "LandingToStart", "LandingToDecision", "Decisions", "OldestCandidate"),
        *("ModelsPaused", "Errors", "Throttles", "ApproximateNumberOfMessagesVisible"),
    } <= names


def test_widgets_lie_on_the_grid_and_on_no_other() -> None:
    cells = [
        (x, y)
        for widget in widgets()
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


# ---- the runbook's queries over the lines of a whole loop --------------------------------------------------

EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e0"
Line = dict[str, Any]


def queries() -> dict[str, str]:
    """The runbook's queries by the question that each answers."""
    return dict(re.findall(r"^### (.+?)\n\n```sql\n(.+?)```", RUNBOOK, flags=re.MULTILINE | re.DOTALL))


def found_by(query: str, lines: list[Line]) -> list[Line]:
    """The lines that a query of Logs Insights finds: `filter` of =, like, and, or, and brackets."""
    fields, condition, sort = (stage.strip() for stage in re.split(r"\n\s*\| ", query))
    assert fields.startswith("fields @timestamp, ")
    assert sort in ("sort @timestamp asc", "sort @timestamp desc")
    matches = _condition(re.findall(r'"[^"]*"|[()]|[\w@.]+|=', condition.removeprefix("filter ")))
    found = [line for line in lines if matches(line)]
    return found if sort.endswith("asc") else found[::-1]


def _condition(words: list[str]) -> Callable[[Line], bool]:
    """The condition that these words say. `and` binds stronger than `or`."""

    def one() -> Callable[[Line], bool]:
        if words[0] == "(":
            words.pop(0)
            inner = either()
            assert words.pop(0) == ")"
            return inner
        name, operator, value = words.pop(0), words.pop(0), words.pop(0).strip('"')
        if operator == "like":
            return lambda line: value in (json.dumps(line) if name == "@message" else str(line.get(name, "")))
        assert operator == "="
        return lambda line: line.get(name) == value

    def both() -> Callable[[Line], bool]:
        parts = [one()]
        while words and words[0] == "and":
            words.pop(0)
            parts.append(one())
        return lambda line: all(part(line) for part in parts)

    def either() -> Callable[[Line], bool]:
        parts = [both()]
        while words and words[0] == "or":
            words.pop(0)
            parts.append(both())
        return lambda line: any(part(line) for part in parts)

    return either()


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What the functions log during the test."""
    with Logged.collected() as found:
        yield found


@pytest.fixture
def happened(logged: Logged, capsys: pytest.CaptureFixture[str]) -> list[Line]:
    """The lines of all functions from a landing to a recorded approval, a failure, and a sweep."""
    world = World.empty()
    using = world.using(Collaborators)
    start_retraining.handler(batch(land_titanic(world)), Context(), using=using)
    changed = event("execution_changed.succeeded")
    changed["detail"]["pipelineExecutionArn"] = EXECUTION
    world.sagemaker.end(EXECUTION, "Failed")
    track_execution.handler(changed, Context(), using=using)
    register(world)
    world.sagemaker.packages[arn_of(1)]["CustomerMetadataProperties"]["execution"] = EXECUTION
    key = "models/titanic/e0/evaluation.json"
    evaluation = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    evaluation["handsoff"]["execution"] = EXECUTION
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(evaluation).encode())
    judge_candidate.handler(about("candidate_registered.pending", arn_of(1)), Context(), using=using)
    decided = about("package_decided.approved", arn_of(1))
    package = world.sagemaker.packages[arn_of(1)]
    decided["detail"]["LastModifiedTime"] = package["LastModifiedTime"].isoformat()
    record_decision.handler(decided, Context(), using=using)
    reconcile.handler({}, Context(), using=using)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return [*logged.lines(), *printed]


def test_each_line_about_an_execution_or_a_package_names_model_and_execution(happened: list[Line]) -> None:
    lines = [line for line in happened if "message" in line]
    assert len(lines) >= 8
    for line in lines:
        text = json.dumps(line)
        if "/execution/" in text or "model-package/" in text:
            assert (line["model"], line.get("execution")) == ("titanic", EXECUTION), line["message"]
        elif "titanic" in text:
            assert line["model"] == "titanic", line["message"]


def messages(question: str, happened: list[Line], **instead: str) -> list[str]:
    query = queries()[question]
    for old, new in instead.items():
        query = query.replace(old, new)
    return [line["message"] for line in found_by(query, happened)]


def test_query_of_an_execution_finds_its_story_in_order(happened: list[Line]) -> None:
    query = queries()["All lines of an execution"]
    documented = re.search(r'execution = "(.+?)"', query)
    assert documented
    query = query.replace(documented[1], EXECUTION)
    story = [line["message"] for line in found_by(query, happened)]
    assert [said for said in story if said in (
        "execution started", "execution changed", "candidate judged", "decision recorded"
    )] == ["execution started", "execution changed", "candidate judged", "decision recorded"]  # fmt: skip


def test_query_of_starts_finds_the_answers(happened: list[Line]) -> None:
    assert messages("Why a model did not start", happened) == ["start answered"]


def test_query_of_candidates_finds_verdict_and_decision(happened: list[Line]) -> None:
    assert messages("What became of candidates", happened) == ["decision recorded", "candidate judged"]


def test_query_of_notifications_finds_what_people_were_told(happened: list[Line]) -> None:
    found = found_by(queries()["Who was told what"], happened)
    assert [line["kind"] for line in found] == ["approved", "execution_failed"]


def test_query_of_failures_finds_errors_alone(happened: list[Line]) -> None:
    error = {"level": "ERROR", "message": "event could not be handled", "model": "titanic"}
    assert found_by(queries()["What failed in the last day"], [*happened, error])[0] == error


def test_query_of_what_is_overdue_finds_the_lines_of_those_metrics(happened: list[Line]) -> None:
    assert found_by(queries()["What is overdue"], happened) == []
    line = {"_aws": {}, "ExecutionsOverdue": [1.0], "model": "titanic", "execution": EXECUTION}
    assert found_by(queries()["What is overdue"], [*happened, line]) == [line]


def test_queries_name_fields_that_lines_have() -> None:
    """Keys of log calls, and of the facts beside metrics."""
    code = "\n".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    for query in queries().values():
        for name in query.splitlines()[0].removeprefix("fields ").split(", "):
            known = name in ("@timestamp", "message", "level", "exception")
            assert known or re.search(rf'\b{name}=|"{name}":', code), name
