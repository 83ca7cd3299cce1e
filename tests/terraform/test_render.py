"""Rendering what Terraform reads: values, definitions, and the checksums of their sources."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from handsoff import project
from handsoff.deploying import render
from handsoff.location import Location
from local.infrastructure import POLICIES, policy
from local.sagemaker.pipelines.parsing import parse
from retraining.config.schema import Config, dump_model, parse_config
from retraining.errors import ConfigError
from tests.terraform.conftest import ROOT

IRELAND = Location("123456789012", "eu-west-1", "aws")


def config(**aws: Any) -> Config:
    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    return parse_config({**values, "aws": aws}, source="handsoff.yaml")


def test_values_has_every_terraform_variable() -> None:
    values = render.values(config(), IRELAND)
    (model,) = values.pop("models").items()
    assert values == {
        "prefix": "handsoff",
        "account": "123456789012",
        "region": "eu-west-1",
        "images": ["arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-scikit-learn"],
        "bucket": None,
        "pipeline_role": None,
        "subnets": [],
        "security_groups": [],
        "kms_key": None,
        "permissions_boundary": None,
        "operator": None,
        "create_signing_key": True,
        "signing_key": None,
        "earlier_keys": [],
        "object_lock": False,
        "link_secret": None,
        "version_days": 90,
        "upload_days": 7,
        "tags": {},
    }
    assert model[0] == "titanic"
    assert set(model[1]) == {"definition", "config", "schedule", "timezone", "starts_after_minutes"}
    assert model[1]["config"] == dump_model(config().models["titanic"])
    assert (model[1]["schedule"], model[1]["timezone"]) == ("cron(0 6 ? * MON *)", "UTC")
    assert model[1]["starts_after_minutes"] is None


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        (None, None),
        ("cron(0 6 ? * MON *)", None),
        ("rate(1 minute)", 60),
        ("rate(59 minutes)", 60),
        ("rate(61 minutes)", 61),
        ("rate(1 hour)", 60),
        ("rate(12 hours)", 720),
        ("rate(1 day)", 1440),
        ("rate(7 days)", 10080),
    ],
)
def test_rate_schedule_first_asks_after_an_interval_and_never_within_the_first_hour(
    schedule: str | None, minutes: int | None
) -> None:
    assert render.starts_after(schedule) == minutes


def test_definition_names_resources_that_terraform_makes() -> None:
    text = render.definition(config(), "titanic", IRELAND)
    assert '"s3://handsoff-data-123456789012-eu-west-1/code/' in text
    assert json.loads(text)["Steps"][1]["Arguments"]["RoleArn"] == (
        "arn:aws:iam::123456789012:role/handsoff-pipeline"
    )


def test_definition_names_existing_resources_in_the_config() -> None:
    role = "arn:aws:iam::123456789012:role/ml/acme-pipelines"
    said = config(
        bucket="acme-data",
        pipeline_role=role,
        subnets=["subnet-01234567"],
        security_groups=["sg-01234567"],
        kms_key="arn:aws:kms:eu-west-1:123456789012:key/0123abcd",
    )
    text = render.definition(said, "titanic", IRELAND)
    assert "handsoff-data" not in text
    assert "role/handsoff-pipeline" not in text
    training = json.loads(text)["Steps"][1]["Arguments"]
    assert training["RoleArn"] == role
    assert training["VpcConfig"] == {"SecurityGroupIds": ["sg-01234567"], "Subnets": ["subnet-01234567"]}
    assert training["OutputDataConfig"]["KmsKeyId"] == "arn:aws:kms:eu-west-1:123456789012:key/0123abcd"
    assert set(parse(text).steps) == {"DataPreProcessing", "TrainModel", "ModelEvaluation", "RegisterModel"}


def test_values_refuses_a_region_without_image() -> None:
    with pytest.raises(ConfigError, match="in no region 'mars-north-1'"):
        render.values(config(), Location("123456789012", "mars-north-1", "aws"))


def checkout(folder: Path, name: str = "handsoff.yaml") -> project.Project:
    """The project of a configuration file in `folder`, with the files of handsoff that lie beside it."""
    return replace(project.load(folder / name), app=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with one step script."""
    (tmp_path / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    (tmp_path / "terraform").mkdir()
    (tmp_path / "pipeline_def" / "steps").mkdir(parents=True)
    (tmp_path / "pipeline_def" / "steps" / "train.py").write_text("print(1)\n")
    (tmp_path / "pipeline_def" / "steps" / "train.pyc").write_text("no source")
    return tmp_path


def test_write_lists_checksums_of_its_sources(folder: Path) -> None:
    path, changed = render.write(checkout(folder), IRELAND)
    assert (path, changed) == (folder / "terraform" / "handsoff.auto.tfvars.json", True)
    assert json.loads(path.read_text())["rendered_from"] == {
        "handsoff.yaml": hashlib.sha256((ROOT / "handsoff.yaml").read_bytes()).hexdigest(),
        "pipeline_def/steps/train.py": "cc42155088fca5730758db72b2a5bca33112a941dfaa2d43098ec422ce4ea213",
    }
    assert [item.name for item in (folder / "terraform").iterdir()] == ["handsoff.auto.tfvars.json"]


def test_write_again_without_changes_writes_nothing(folder: Path) -> None:
    path, _ = render.write(checkout(folder), IRELAND)
    written = path.stat().st_mtime_ns
    assert render.write(checkout(folder), IRELAND) == (path, False)
    assert path.stat().st_mtime_ns == written
    (folder / "pipeline_def" / "steps" / "train.py").write_text("print(2)\n")
    assert render.write(checkout(folder), IRELAND) == (path, True)


def test_write_names_another_config_file(folder: Path) -> None:
    development = folder / "handsoff.dev.yaml"
    development.write_text("prefix: handsoffdev\n" + (folder / "handsoff.yaml").read_text().split("\n", 2)[2])
    path, _ = render.write(checkout(folder, development.name), IRELAND)
    values = json.loads(path.read_text())
    assert values["prefix"] == "handsoffdev"
    assert {"handsoff.dev.yaml", "pipeline_def/steps/train.py"} == set(values["rendered_from"])


def test_write_lists_checksums_of_own_code(folder: Path) -> None:
    """Terraform refuses values that are older than a file of it, so that earlier code is not put back."""
    values = yaml.safe_load((folder / "handsoff.yaml").read_text())
    values["models"]["titanic"]["training"] = {**OWN_CODE, "image": "xgboost:3.0-5"}
    (folder / "handsoff.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=r"titanic: training\.source_dir src is no folder"):
        render.write(checkout(folder), IRELAND)
    (folder / "src" / "lib").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print(1)\n")
    (folder / "src" / "lib" / "dates.py").write_text("")
    (folder / "src" / ".env").write_text("left out")
    path, _ = render.write(checkout(folder), IRELAND)
    known = json.loads(path.read_text())["rendered_from"]
    assert {name for name in known if name.startswith("src")} == {"src/train.py", "src/lib/dates.py"}
    assert known["src/train.py"] == "cc42155088fca5730758db72b2a5bca33112a941dfaa2d43098ec422ce4ea213"
    (folder / "src" / "lib" / "dates.py").write_text("# mended\n")
    _, changed = render.write(checkout(folder), IRELAND)
    assert changed
    assert json.loads(path.read_text())["rendered_from"]["src/lib/dates.py"] != known["src/lib/dates.py"]


def test_write_without_a_terraform_folder_is_refused(folder: Path) -> None:
    (folder / "terraform").rmdir()
    with pytest.raises(ConfigError, match="terraform does not exist"):
        render.write(checkout(folder), IRELAND)


LONGEST = {
    "partition": "aws-us-gov",
    "region": "ap-southeast-4",
    "account": "123456789012",
    "prefix": "p" * 20,
    "bucket": "b" * 63,
    "role": f"arn:aws-us-gov:iam::123456789012:role/{'r' * 218}",
    "images": '", "'.join(
        f"arn:aws-us-gov:ecr:us-gov-west-1:414596584902:repository/{name}"
        for name in ("sagemaker-scikit-learn", "sagemaker-xgboost", "pytorch-inference", "r" * 256)
    ),
    "kms_key": f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-{'k' * 32}",
    "signing_key": f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-{'s' * 32}",
    "signing_keys": '", "'.join([f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-{'s' * 32}"] * 21),
    "link_secret": f"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:{'s' * 64}",
}


@pytest.mark.parametrize(
    ("documents", "limit"),
    [
        (["operator"], 6144),
        (["operator-publish"], 6144),
        (["operator-evidence"], 6144),
        (["operator-signing"], 6144),
        (["operator-lock"], 6144),
        (["operator-kms"], 6144),
        (["operator-links"], 6144),
        (["operator-keys"], 2048),
        (["pipeline", "pipeline-kms", "pipeline-vpc"], 10240),
        (["schedules"], 10240),
        (["trust-sagemaker"], 2048),
        (["trust-scheduler"], 2048),
        (["bucket"], 20480),
    ],
)
def test_policies_fit_iam_limits_with_the_longest_names(documents: list[str], limit: int) -> None:
    """IAM counts characters without white space; `limit` is its limit for the documents together."""
    assert sum(len("".join(policy(name, LONGEST).split())) for name in documents) <= limit


def test_policies_have_unique_statement_ids() -> None:
    documents = sorted(path.stem for path in POLICIES.glob("*.json"))
    assert len(documents) == 15
    for document in documents:
        names = [statement["Sid"] for statement in json.loads(policy(document, LONGEST))["Statement"]]
        assert len(set(names)) == len(names)


OWN_CODE = {"source_dir": "src", "entry_point": "train.py"}


def own_code(image: str) -> Config:
    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    training = {**OWN_CODE, "image": image}
    models = {**values["models"], "own": {**values["models"]["titanic"], "training": training}}
    return parse_config({**values, "models": models}, source="handsoff.yaml")


def test_jobs_of_own_code_may_pull_every_framework_image_and_their_own() -> None:
    """A champion may be of another framework than the model that is trained now."""
    frameworks = [
        "arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-scikit-learn",
        "arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-xgboost",
        "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-inference",
        "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-training",
    ]
    assert render.repositories(own_code("xgboost:3.0-5"), IRELAND) == frameworks
    ours = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/churn:1"
    arn = "arn:aws:ecr:eu-central-1:123456789012:repository/team/churn"
    assert render.repositories(own_code(ours), IRELAND) == [arn, *frameworks]


def test_an_image_that_the_region_lacks_is_needed_by_models_that_name_it_only() -> None:
    iso = Location("123456789012", "us-iso-east-1", "aws-iso")
    assert len(render.repositories(own_code("xgboost:3.0-5"), iso)) == 2
    with pytest.raises(ConfigError, match=r"SageMaker hosts pytorch:2\.6\.0 in no region 'us-iso-east-1'"):
        render.repositories(own_code("pytorch:2.6.0"), iso)


def test_the_policy_names_each_repository() -> None:
    names = {**LONGEST, "images": 'arn:aws:ecr:x:1:repository/a", "arn:aws:ecr:x:1:repository/b'}
    statements = json.loads(policy("pipeline", names))["Statement"]
    (pull,) = (statement for statement in statements if statement["Sid"] == "PullImage")
    assert pull["Resource"] == ["arn:aws:ecr:x:1:repository/a", "arn:aws:ecr:x:1:repository/b"]


def test_definition_of_own_code_that_cannot_be_published_names_the_model(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"own: training\.source_dir src is no folder beside handsoff\.yaml"
    ):
        render.definition(own_code("xgboost:3.0-5"), "own", IRELAND, tmp_path)
