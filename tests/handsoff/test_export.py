"""`handsoff export` writes what CycloneDX's own validator and SageMaker's published schema accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator
from typer.testing import CliRunner, Result

from handsoff import cli
from handsoff.commands import terminal
from handsoff.deployment import Deployment
from handsoff.errors import NotFound, UsageError
from retraining import records
from retraining.collaborators import Collaborators
from retraining.config.schema import Config
from tests.functions.fakes import arn_of, register, was_held
from tests.functions.world import World

MODEL = """
models:
  titanic:
    task: binary_classification
    target: survived
    features: {numeric: [age]}
"""
TEXT = {"type": "string", "maxLength": 1024}
LONG = {"type": "string", "maxLength": 2048}
NAMED = {"type": "string", "pattern": "^.{1,255}$"}


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "additionalProperties": False, "properties": properties, "required": list(required)
    }  # fmt: skip


METRIC = closed(
    ("name", "type", "value"),
    name=NAMED,
    notes=TEXT,
    type={"enum": ["number", "string", "boolean"]},
    value={"type": ["number", "string", "boolean"]},
)
CARD = closed(
    model_overview=closed(
        model_creator=TEXT, model_artifact={"type": "array", "maxItems": 15, "items": TEXT}
    ),
    intended_uses=closed(
        purpose_of_model=LONG,
        intended_uses=LONG,
        factors_affecting_model_efficiency=LONG,
        risk_rating={"enum": ["High", "Medium", "Low", "Unknown"]},
        explanations_for_risk_rating=LONG,
    ),
    business_details=closed(business_problem=LONG, business_stakeholders=LONG, line_of_business=LONG),
    training_details=closed(
        training_observations=TEXT,
        training_job_details=closed(
            training_arn=TEXT,
            training_datasets={"type": "array", "maxItems": 15, "items": TEXT},
            training_environment=closed(container_image={"type": "array", "maxItems": 15, "items": TEXT}),
            hyper_parameters={
                "type": "array",
                "maxItems": 100,
                "items": closed(("name", "value"), name=NAMED, value=NAMED),
            },
        ),
    ),
    evaluation_details={
        "type": "array",
        "items": closed(
            ("name",),
            name={"type": "string", "pattern": "^.{1,63}$"},
            evaluation_observation={"type": "string", "maxLength": 2096},
            evaluation_job_arn={"type": "string", "maxLength": 256},
            datasets={"type": "array", "maxItems": 10, "items": TEXT},
            metadata={"type": "object", "additionalProperties": TEXT},
            metric_groups={
                "type": "array",
                "items": closed(
                    ("name", "metric_data"),
                    name={"type": "string", "pattern": "^.{1,63}$"},
                    metric_data={"type": "array", "items": METRIC},
                ),
            },
        ),
    },
    additional_information=closed(
        ethical_considerations=LONG,
        caveats_and_recommendations=LONG,
        custom_details={"type": "object", "additionalProperties": TEXT},
    ),
)
"""What SageMaker's schema of a model package's card says of the keys that an export may have. Source: Amazon
SageMaker AI developer guide, "Update the details of a model version", "Model package model card schema"."""

FILES = [
    {
        "key": f"curated/titanic/{split}/{number}.csv",
        "versionId": f"v{number}",
        "etag": '"e"',
        "size": 3,
        "checksum": None,
        "sha256": "d" * 64,
        "rows": 2,
    }
    for split in ("train", "validation")
    for number in range(3)
]


@pytest.fixture
def deployed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Version 1 is held. Its evidence has data, an image, packages and an artifact."""
    (tmp_path / "handsoff.yaml").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def deployment(config: Config, folder: Path) -> Deployment:
        made = Deployment(config, folder)
        made.__dict__.update(
            sagemaker=world.sagemaker, s3=world.s3, account="123456789012", partition="aws", bucket="data"
        )
        return made

    monkeypatch.setattr(terminal, "Deployment", deployment)
    register(world)
    was_held(world, arn_of(1), reasons=("too few rows " * 300,))
    sources = world.using(Collaborators).sources
    records.write(sources, "titanic", "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0")
    changed(
        world,
        packages={"python": "3.11.9", "scikit-learn": "1.9.0", "numpy": "2.5.1"},
        image={
            "uri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0",
            "digest": None,
        },
        code={"sha256": "c" * 64, "uri": "s3://data/code/" + "c" * 64 + "/"},
        artifact={"uri": "s3://data/m.tar.gz", "versionId": "v1", "sha256": "a" * 64, "bytes": 7},
        files=FILES,
    )
    return world


def changed(world: World, files: list[dict[str, Any]] | None = None, **keys: Any) -> None:
    """Write evidence.json with other values."""
    key = "evidence/titanic/e0/evidence.json"
    found = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read()) | keys
    if files is not None:
        manifest = "s3://data/batches/titanic/b/manifest.json" if files else None
        found["data"] = {**found["data"], "files": files, "manifest": manifest}
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(found).encode())


def run(form: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["export", "titanic/1", "--format", form, *arguments])


def said(form: str) -> dict[str, Any]:
    done = run(form)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_mlbom_is_valid_and_says_model_metrics_data_code_and_packages(deployed: World) -> None:
    text = run("mlbom").stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = json.loads(text)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    model = found["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == (
        "machine-learning-model",
        "handsoff-titanic",
        "1",
    )
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    card = model["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    metrics = {item["type"]: item["value"] for item in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert (metrics["accuracy"], metrics["roc_auc"]) == ("0.8", "0.86")
    by_type: dict[str, list[str]] = {}
    for item in found["components"]:
        by_type.setdefault(item["type"], []).append(item.get("purl") or item["name"])
    assert by_type["library"] == ["pkg:pypi/numpy@2.5.1", "pkg:pypi/scikit-learn@1.9.0"]
    assert (by_type["platform"], len(by_type["data"]), len(by_type["container"])) == (["python"], 6, 1)
    refs = {item["bom-ref"] for item in found["components"]}
    assert {item["ref"] for item in card["modelParameters"]["datasets"]} <= refs
    assert deployed.messages() is not None


def test_mlbom_of_the_same_evidence_is_the_same(deployed: World) -> None:
    assert run("mlbom").stdout == run("mlbom").stdout
    assert deployed.messages() is not None


def test_mlbom_says_how_many_files_there_are_and_which_manifest_names_all(deployed: World) -> None:
    key = "evidence/titanic/e0/evidence.json"
    data = json.loads(deployed.s3.get_object(Bucket="data", Key=key)["Body"].read())["data"]
    of_many = {"files": [], "fileCount": 3000, "manifest": "s3://data/m.json", "manifestSha256": "ab" * 32}
    changed(deployed, data=data | of_many)
    found = said("mlbom")["metadata"]["component"]["properties"]
    values = {item["name"]: item["value"] for item in found}
    assert values["handsoff:fileCount"] == "3000"
    assert values["handsoff:manifestSha256"] == "ab" * 32


def test_mlbom_gives_intervals_of_metrics(deployed: World) -> None:
    key = "models/titanic/e0/evaluation.json"
    body = json.loads(deployed.s3.get_object(Bucket="data", Key=key)["Body"].read())
    body["handsoff"]["candidate"]["metrics"]["accuracy"]["interval"] = [0.75, 0.85]
    deployed.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
    metrics = said("mlbom")["metadata"]["component"]["modelCard"]["quantitativeAnalysis"][
        "performanceMetrics"
    ]
    (accuracy,) = [item for item in metrics if item["type"] == "accuracy"]
    assert accuracy["confidenceInterval"] == {"lowerBound": "0.75", "upperBound": "0.85"}


def test_model_card_is_valid_and_says_what_the_schema_has_a_key_for(deployed: World) -> None:
    found = said("model-card")
    Draft7Validator(CARD).validate(found)
    assert found["model_overview"]["model_artifact"] == ["s3://data/m.tar.gz"]
    (evaluation,) = found["evaluation_details"]
    (group,) = evaluation["metric_groups"]
    assert {"name": "accuracy", "type": "number", "value": 0.8} in group["metric_data"]
    assert evaluation["datasets"] == [f"s3://data/curated/titanic/validation/{n}.csv" for n in range(3)]
    job = found["training_details"]["training_job_details"]
    assert job["training_datasets"] == [f"s3://data/curated/titanic/train/{n}.csv" for n in range(3)]
    details = found["additional_information"]["custom_details"]
    assert (details["artifact_sha256"], details["approval"]) == ("a" * 64, "PendingManualApproval")
    assert len(evaluation["evaluation_observation"]) == 2048
    assert deployed.messages() is not None


def test_model_card_with_more_files_than_it_may_name_names_the_manifest(deployed: World) -> None:
    changed(deployed, files=[{**FILES[0], "key": f"curated/titanic/train/{n}.csv"} for n in range(16)])
    job = said("model-card")["training_details"]["training_job_details"]
    (manifest,) = job["training_datasets"]
    assert manifest.endswith("/manifest.json")


@pytest.mark.parametrize("form", ["mlbom", "model-card"])
def test_export_of_little_evidence_is_valid(deployed: World, form: str) -> None:
    """An execution whose container told no packages, and whose artifact has no digest."""
    nothing = {
        "packages": None,
        "image": None,
        "code": None,
        "artifact": None,
        "verdict": None,
        "config": None,
    }
    changed(deployed, files=[], **nothing, training=None, steps=[])
    text = run(form).stdout
    if form == "mlbom":
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    else:
        Draft7Validator(CARD).validate(json.loads(text))


def test_export_writes_a_file(deployed: World, tmp_path: Path) -> None:
    assert run("mlbom", "--output", "bom.json").stdout == ""
    assert (tmp_path / "bom.json").read_text() == run("mlbom").stdout
    problem = run("mlbom", "--output", "no/bom.json").exception
    assert isinstance(problem, UsageError)
    assert str(problem) == "no/bom.json cannot be written: No such file or directory"
    assert deployed.messages() is not None


def test_export_without_evidence_says_when_there_is_some(deployed: World) -> None:
    deployed.s3.delete_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")
    problem = run("mlbom").exception
    assert isinstance(problem, NotFound)
    assert "evidence is written when an execution ends" in str(problem)
