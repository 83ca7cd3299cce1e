"""`handsoff publish` shows each value before and after, asks on AWS, and says what retrains."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
import yaml
from botocore.exceptions import ClientError
from rich.console import Console

from handsoff.commands import publish as command
from handsoff.commands import terminal
from handsoff.deploying import account, publish_plan, render
from handsoff.deploying.publish_plan import Change, Published, PublishPlan, as_json, compare, plan
from handsoff.errors import NotConfirmed, NotDeployed
from handsoff.location import Location
from retraining.config.schema import Config, ModelConfig, dump_model, parse_config
from retraining.config.storing import stored
from tests.functions.fakes import ROOT

HERE = Location("123456789012", "us-east-1", "aws")
ROLE = "arn:aws:iam::123456789012:role/handsoff-pipeline"
SAMPLE = yaml.safe_load((ROOT / "handsoff.yaml").read_text())


def config_of(**changes: Any) -> Config:
    """The sample's config; `training__estimator="ridge"` changes a value of the model."""
    values = copy.deepcopy(SAMPLE)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = values["models"]["titanic"]
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return parse_config(values, source="test")


def definition_of(config: Config, folder: Path = ROOT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render.definition(config, "titanic", HERE, folder))
    return found


def published(config: Config, /, **other: Any) -> Published:
    """What AWS has after this config was published and its schedule deployed."""
    model = config.models["titanic"]
    values: dict[str, Any] = {
        "config": dump_model(model),
        "definition": other.get("definition") or definition_of(config),
        "role": ROLE,
        "schedule": model.retrain.schedule,
        "timezone": model.retrain.schedule_timezone,
    }
    return Published(**(values | other))


def compared(before: Published, after: Config) -> PublishPlan:
    model: ModelConfig = after.models["titanic"]
    return compare("titanic", before, model, definition_of(after), ROLE)


def test_plan_of_what_is_published_changes_nothing() -> None:
    found = compared(published(config_of()), config_of())
    assert (found.settings, found.pipeline, found.schedule) == ((), (), None)
    assert not found.changes
    assert not found.needs_training
    assert as_json(found)["retrainWith"] is None


def test_plan_names_the_estimator_before_and_after() -> None:
    found = compared(published(config_of()), config_of(training__estimator="random_forest"))
    assert found.settings == (Change("training.estimator", "hist_gradient_boosting", "random_forest"),)
    assert found.code_changed
    assert found.pipeline == ()  # the definition differs in the code's hash alone
    assert as_json(found)["retrainWith"] == "handsoff start titanic"


def test_plan_names_the_instance_in_the_config_and_in_the_pipeline() -> None:
    found = compared(published(config_of()), config_of(training__instance_type="ml.m5.xlarge"))
    assert found.settings == (Change("training.instance_type", "ml.m5.large", "ml.m5.xlarge"),)
    assert not found.code_changed
    assert found.pipeline == (
        Change("Parameters.ProcessingInstanceType.DefaultValue", "ml.m5.large", "ml.m5.xlarge"),
        Change("Parameters.TrainingInstanceType.DefaultValue", "ml.m5.large", "ml.m5.xlarge"),
    )


def test_plan_of_rules_alone_needs_no_training() -> None:
    before = config_of(approval__rules=[{"metric": "roc_auc", "min": 0.7}])
    after = config_of(approval__rules=[{"metric": "roc_auc", "min": 0.8}])
    found = compared(published(before), after)
    rules = ([{"metric": "roc_auc", "min": 0.7}], [{"metric": "roc_auc", "min": 0.8}])
    assert found.settings == (Change("approval.rules", *rules),)
    assert found.changes
    assert not found.needs_training


@pytest.mark.parametrize("approval", [{}, {"first_model": "hold"}, {"rules": []}])
def test_model_without_rules_is_compared_and_shown(approval: dict[str, Any]) -> None:
    rule = [{"metric": "roc_auc", "min": 0.7}]
    found = compared(published(config_of(approval=approval)), config_of(approval=approval))
    assert found.settings == ()
    gained = compared(
        published(config_of(approval=approval)), config_of(approval={**approval, "rules": rule})
    )
    assert gained.settings == (Change("approval.rules", [], rule),)
    first = compared(published(config_of(), config=None), config_of(approval=approval))
    shown = next(change.after for change in first.settings if change.key == "approval")
    assert isinstance(shown, dict)
    assert shown["rules"] == []


@pytest.mark.parametrize(("known", "shown"), [({}, None), ({"max_leaf_nodes": 31}, 31)])
def test_hyperparameter_of_null_is_a_change(known: dict[str, int], shown: int | None) -> None:
    before = config_of(training__hyperparameters=known)
    after = config_of(training__hyperparameters={"max_leaf_nodes": None})
    key = "training.hyperparameters.max_leaf_nodes"
    found = compared(published(before), after)
    assert found.settings == (Change(key, shown, "null"),)
    assert found.needs_training
    assert compared(published(after), before).settings == (Change(key, "null", shown),)
    assert compared(published(after), after).settings == ()


def test_reminder_that_is_turned_off_is_shown_as_null() -> None:
    found = compared(
        published(config_of(approval={"remind_after": "1h"})), config_of(approval={"remind_after": None})
    )
    assert found.settings == (Change("approval.remind_after", "3600s", "null"),)


def test_plan_of_features_shows_both_lists() -> None:
    values = SAMPLE["models"]["titanic"]["features"]["numeric"]
    found = compared(published(config_of()), config_of(features__numeric=values[1:]))
    assert found.settings == (Change("features.numeric", values, values[1:]),)


def test_plan_says_that_only_deploy_changes_a_schedule() -> None:
    found = compared(published(config_of()), config_of(retrain__schedule="rate(3 days)"))
    assert found.schedule == Change("schedule", "cron(0 6 ? * MON *) UTC", "rate(3 days) UTC")
    assert [change.key for change in found.settings] == ["retrain.schedule"]
    assert not found.needs_training
    gone = compared(published(config_of(), schedule=None, timezone=None), config_of())
    assert gone.schedule == Change("schedule", None, "cron(0 6 ? * MON *) UTC")


def test_plan_names_another_role_and_other_steps() -> None:
    older = definition_of(config_of())
    older["Steps"][1]["Arguments"]["ResourceConfig"]["VolumeSizeInGB"] = 10
    found = compared(published(config_of(), definition=older, role="arn:aws:iam::1:role/old"), config_of())
    assert found.pipeline == (
        Change("role", "arn:aws:iam::1:role/old", ROLE),
        Change("Steps.TrainModel.Arguments.ResourceConfig.VolumeSizeInGB", 10, 30),
    )


def test_plan_of_a_config_that_this_version_cannot_read_compares_what_is_written() -> None:
    newer = json.dumps({**json.loads(dump_model(config_of().models["titanic"])), "colour": "red"})
    found = compared(published(config_of(), config=newer), config_of())
    assert found.settings == (Change("colour", "red", None),)


def test_plan_of_a_model_without_a_config_shows_all_values_as_new() -> None:
    found = compared(published(config_of(), config=None), config_of())
    assert Change("target", None, "survived") in found.settings
    assert {change.before for change in found.settings} == {None}


def test_plan_tells_another_spelling_of_the_same_values() -> None:
    """The parameter is written again, and nothing has to be trained."""
    written = json.loads(dump_model(config_of().models["titanic"])) | {"approvers": {}}
    found = compared(published(config_of(), config=json.dumps(written)), config_of())
    assert [change.key for change in found.settings] == ["config"]
    assert not found.needs_training


class Aws:
    """What `plan` reads of AWS: one pipeline, one schedule, parameters and objects."""

    def __init__(self, config: Config, *, pipeline: bool = True) -> None:
        self.of, self.pipeline, self.objects = config, pipeline, dict[str, bytes]()

    def client(self, _service: str) -> Aws:
        return self

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:
        if not self.pipeline:
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribePipeline")
        assert PipelineName == "handsoff-titanic"
        return {"PipelineDefinition": json.dumps(definition_of(self.of)), "RoleArn": ROLE}

    def get_schedule(self, **_: str) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSchedule")

    def get_parameters(self, *, Names: list[str]) -> dict[str, Any]:
        assert Names == ["/handsoff/models/titanic"]
        found = stored(self.of.models["titanic"])
        self.objects |= found.objects
        return {"Parameters": [{"Value": found.parameter}]}

    def get_object(self, *, Key: str, **_: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}


def deployment(aws: Aws, config: Config, bucket: str = "handsoff-data-123456789012-us-east-1") -> Any:
    return SimpleNamespace(
        config=config,
        prefix="handsoff",
        location=HERE,
        bucket=bucket,
        session=aws,
        sagemaker=aws,
        ssm=aws,
        s3=aws,
        resource_name=lambda model: f"handsoff-{model}",
        folder=ROOT,
    )


def test_plan_reads_a_config_that_lies_in_the_bucket() -> None:
    many = [f"column-{number:04}-{'x' * 60}" for number in range(200)]
    before, after = config_of(features__numeric=many), config_of(features__numeric=many[:-1])
    found = plan(deployment(Aws(before), after), "titanic")
    assert found.settings == (Change("features.numeric", many, many[:-1]),)
    assert found.schedule == Change("schedule", None, "cron(0 6 ? * MON *) UTC")


def test_plan_of_a_changed_script_shows_another_code(tmp_path: Path) -> None:
    """The config is the same; what is trained is not."""
    (tmp_path / "src").mkdir()
    script = tmp_path / "src" / "train.py"
    script.write_text("print(1)\n")
    own = config_of(training={"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5"})
    before = definition_of(own, tmp_path)
    script.write_text("print(2)\n")
    after = definition_of(own, tmp_path)
    found = compare("titanic", published(own, definition=before), own.models["titanic"], after, ROLE)
    assert (found.settings, found.pipeline) == ((), ())
    assert found.code_changed
    assert as_json(found)["retrainWith"] == "handsoff start titanic"


def test_plan_of_own_code_in_place_of_an_estimator_shows_the_image(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("")
    own = config_of(training={"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5"})
    after = definition_of(own, tmp_path)
    found = compare("titanic", published(config_of()), own.models["titanic"], after, ROLE)
    assert Change("training.image", None, "xgboost:3.0-5") in found.settings
    assert Change("training.source_dir", None, "src") in found.settings
    image = "Steps.TrainModel.Arguments.AlgorithmSpecification.TrainingImage"
    (changed,) = [change for change in found.pipeline if change.key == image]
    assert str(changed.before).endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
    assert "/sagemaker-xgboost:3.0-5" in str(changed.after)


def test_plan_lists_the_files_of_own_code_with_their_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)\n")
    own = config_of(training={"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5"})
    where = deployment(Aws(config_of()), own)
    where.folder = tmp_path
    found = plan(where, "titanic")
    assert found.files == {"train.py": 9}
    assert as_json(found)["files"] == {"train.py": 9}
    command._show(found)
    assert f"  {'files':<28} train.py (9 bytes)\n" in capsys.readouterr().out


def test_plan_refuses_what_is_not_deployed() -> None:
    with pytest.raises(NotDeployed, match="there is no pipeline handsoff-titanic here"):
        plan(deployment(Aws(config_of(), pipeline=False), config_of()), "titanic")
    with pytest.raises(NotDeployed, match="the data is in other here"):
        plan(deployment(Aws(config_of()), config_of(), bucket="other"), "titanic")


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command has published; its project's estimator was changed since it was published."""
    changed = config_of(training__estimator="random_forest")
    project = SimpleNamespace(config=changed, model=lambda name: name, terraform=ROOT / "nowhere")
    done: list[str] = []

    def publish_model(_deployment: Any, model: str) -> Any:
        done.append(model)
        pipeline = SimpleNamespace(change="updated", code_sha256="f" * 64, pipeline_arn="arn:p")
        return SimpleNamespace(config_changed=True, pipeline=pipeline)

    monkeypatch.setattr(terminal, "project_to_publish", lambda: project)
    monkeypatch.setattr(terminal, "deployment", lambda _where: deployment(Aws(config_of()), changed))
    monkeypatch.setattr(command, "publish_model", publish_model)
    monkeypatch.setattr(account, "endpoint", lambda _session: None)
    monkeypatch.setattr(terminal, "err", Console(file=io.StringIO()))
    return done


def test_publish_plan_shows_and_changes_nothing(did: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command.publish(plan_only=True)
    said = capsys.readouterr().out
    assert "training.estimator           hist_gradient_boosting → random_forest\n" in said
    assert "`handsoff start titanic` retrains on the data that is there" in said
    assert "publishing retrains nothing" in said
    assert did == []


def test_publish_on_aws_without_a_terminal_asks_for_yes(did: list[str]) -> None:
    with pytest.raises(NotConfirmed, match="nothing was changed: say --yes"):
        command.publish()
    assert did == []
    command.publish(yes=True)
    assert did == ["titanic"]


@pytest.mark.parametrize(("answer", "expected"), [(True, ["titanic"]), (False, [])])
def test_publish_on_aws_asks(
    did: list[str], monkeypatch: pytest.MonkeyPatch, answer: bool, expected: list[str]
) -> None:
    asked: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        return answer

    monkeypatch.setattr(terminal, "err", Console(file=io.StringIO(), force_terminal=True))
    monkeypatch.setattr(typer, "confirm", confirm)
    if answer:
        command.publish()
    else:
        with pytest.raises(NotConfirmed, match="nothing was changed"):
            command.publish()
    assert asked == ["Publish titanic?"]
    assert did == expected


def test_publish_on_this_machine_asks_nothing(did: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "endpoint", lambda _session: "http://127.0.0.1:4566")
    command.publish()
    assert did == ["titanic"]


def test_publish_of_nothing_changed_asks_nothing(did: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    unchanged = deployment(Aws(config_of()), config_of())
    monkeypatch.setattr(terminal, "deployment", lambda _where: unchanged)
    command.publish()
    assert did == ["titanic"]  # objects that were deleted are uploaded again


def test_publish_json_has_the_plan(did: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command.publish(plan_only=True, as_json_=True)
    found = json.loads(capsys.readouterr().out)
    assert found["published"] is False
    (model,) = found["models"]
    assert model["settings"] == [
        {"key": "training.estimator", "before": "hist_gradient_boosting", "after": "random_forest"}
    ]
    assert model["retrainWith"] == "handsoff start titanic"
    assert did == []


def test_lists_show_what_goes_and_what_comes() -> None:
    moved = Change("features.numeric", ["a", "b"], ["b", "c"])
    assert list(command._lines(moved)) == ["- a", "+ c"]
    assert list(command._lines(Change("k", ["a", "b"], ["b", "a"]))) == ["[a, b] → [b, a]"]
    assert list(command._lines(Change("k", None, 30))) == ["— → 30"]
    assert publish_plan.code_of({}) is None


def test_rules_are_shown_as_people_write_them() -> None:
    before = config_of(approval__rules=[{"metric": "roc_auc", "min": 0.7, "on_fail": "hold"}])
    after = config_of(approval__rules=[{"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}])
    (change,) = compared(published(before), after).settings
    assert list(command._lines(change)) == [
        "- {metric: roc_auc, min: 0.7, on_fail: hold}",
        "+ {metric: roc_auc, versus_champion: {max_loss: 0.03}}",
    ]


def test_long_values_are_named_and_not_shown() -> None:
    step = {"Type": "Processing", "Arguments": {"text": "x" * 200}}
    assert list(command._lines(Change("Steps.ScoreCandidate", None, step))) == ["added"]
    assert list(command._lines(Change("Steps.ScoreCandidate", step, None))) == ["removed"]
    assert list(command._lines(Change("k", step, "none"))) == ["changed: --json has it whole"]
    assert list(command._lines(Change("k", None, {"a": 1}))) == ["— → {a: 1}"]


def test_own_code_in_place_of_an_estimator_is_shown_in_short_lines(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("")
    own = config_of(training={"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5"})
    after = definition_of(own, tmp_path)
    found = compare("titanic", published(config_of()), own.models["titanic"], after, ROLE)
    lines = list(command._pipeline_lines(found.pipeline))
    assert "Steps.ScoreCandidate  added" in lines
    assert "Steps.ModelEvaluation  4 lists or mappings: --json has them" in lines
    assert any(line.endswith("sagemaker-xgboost:3.0-5") for line in lines)
    assert len(lines) < 25
    assert max(map(len, lines)) < 300
