"""The checks of `handsoff doctor`, each at its edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying import checks, doctor, function_urls
from handsoff.deploying.account import Bucket, Concurrency, Problem, Quota, Stack
from handsoff.deploying.checks import Finding
from handsoff.location import Location
from pipeline_def import images
from retraining.config.schema import Config, parse_config
from retraining.config.training import Training
from retraining.errors import ConfigError

ROOT = Path(__file__).parents[2]
ME = {"Arn": "arn:aws:iam::123456789012:user/data-science-user", "Account": "123456789012"}
BUCKET = "handsoff-data-123456789012-eu-west-1"


def config(*instances: str) -> Config:
    """A configuration with a model for each instance type."""
    model: dict[str, Any] = {
        "task": "binary_classification",
        "target": "y",
        "features": {"numeric": ["x"]},
        "approval": {"rules": [{"metric": "accuracy", "min": 0.5}]},
    }
    models = {
        f"m{number}": {**model, "training": {"estimator": "hist_gradient_boosting", "instance_type": name}}
        for number, name in enumerate(instances)
    }
    return parse_config({"models": models}, source="handsoff.yaml")


def test_config_check_lists_models_or_the_error() -> None:
    good = checks.config_is_valid(config("ml.m5.large", "ml.m5.large"))
    assert good == Finding("configuration", "ok", "valid: prefix handsoff, models m0, m1")
    assert checks.config_is_valid(ConfigError("models: Field required")) == Finding(
        "configuration",
        "error",
        "models: Field required",
        "correct the file: docs/reference/configuration.md explains each key",
    )


@pytest.mark.parametrize(
    ("version", "wanted", "outcome", "why"),
    [
        (None, ">= 1.9", "error", "it is not on the PATH"),
        ("1.8.9", ">= 1.9", "error", "it is 1.8.9; needed is >= 1.9"),
        ("1.9.0", ">= 1.9", "ok", "1.9.0"),
        ("1.10.0", ">= 1.9, < 2.0", "ok", "1.10.0"),
        ("2.0.0", ">= 1.9, < 2.0", "error", "it is 2.0.0; needed is >= 1.9, < 2.0"),
        ("1.12.0", "~> 1.9", "ok", "1.12.0"),
        ("2.0.0", "~> 1.9", "error", "it is 2.0.0; needed is ~> 1.9"),
        ("1.13.0-rc1", ">= 1.9", "ok", "1.13.0-rc1"),
    ],
)
def test_terraform_check_compares_versions(version: str | None, wanted: str, outcome: str, why: str) -> None:
    found = checks.terraform(version, wanted)
    assert (found.outcome, found.why) == (outcome, why)
    assert (found.way_out is not None) == (outcome == "error")


def test_terraform_wanted_is_read_from_versions_tf() -> None:
    assert doctor.terraform_wanted(ROOT) == ">= 1.9"


@pytest.mark.parametrize(
    ("code", "why", "way_out"),
    [
        (
            "ProfileNotFound",
            "AWS_PROFILE is dev, and there is no such profile",
            "aws configure --profile dev",
        ),
        ("NoCredentials", "there are none: AWS said so", "aws configure --profile data-science-user"),
        ("ExpiredToken", "the session has expired: AWS said so", "aws sso login --profile dev"),
        ("TokenRetrieval", "the session has expired: AWS said so", "aws sso login --profile dev"),
        ("InvalidClientTokenId", "AWS does not know this access key: AWS said so", "docs/how-to/operator.md"),
        ("SignatureDoesNotMatch", "AWS said so", "this machine's clock"),
        (
            "EndpointConnection",
            "EndpointConnection: AWS said so",
            "check whether AWS can be reached from here",
        ),
    ],
)
def test_credentials_check_says_how_to_correct_each_error(code: str, why: str, way_out: str) -> None:
    found = checks.credentials(Problem(code, "AWS said so"), "dev")
    assert (found.outcome, found.why) == ("error", why)
    assert way_out in (found.way_out or "")


def test_credentials_check_warns_of_the_root_user() -> None:
    mine = checks.credentials(ME, None)
    assert (mine.outcome, mine.why) == ("ok", f"{ME['Arn']}, account 123456789012")
    root = checks.credentials({**ME, "Arn": "arn:aws:iam::123456789012:root"}, None)
    assert root.outcome == "warning"
    assert "the root user, which no policy limits" in root.why


@pytest.mark.parametrize(
    ("name", "outcome", "why"),
    [
        (None, "error", "none is set"),
        ("eu-west-1", "ok", "eu-west-1 hosts 141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit"),
        ("mx-central-1", "error", "in no region 'mx-central-1'; it is in af-south-1"),
    ],
)
def test_region_check_needs_the_image_there(name: str | None, outcome: str, why: str) -> None:
    found = checks.region(name, {})
    assert found.outcome == outcome
    assert why in found.why


def test_region_check_refuses_two_different_regions() -> None:
    assert checks.region("eu-west-1", {"AWS_REGION": "eu-west-1"}).outcome == "ok"
    found = checks.region("eu-west-1", {"AWS_REGION": "us-east-1"})
    assert (found.outcome, found.why) == (
        "error",
        "AWS_REGION is us-east-1, and AWS_DEFAULT_REGION or the profile says eu-west-1",
    )


LARGE = "ml.m5.large for {} job usage"


@pytest.mark.parametrize(
    ("value", "models", "outcome", "why"),
    [
        (0, 1, "error", "it is 0, so no such job can start"),
        (1, 1, "ok", "1"),
        (1, 2, "warning", "it is 1, and 2 may be needed at once: jobs wait for each other"),
        (2, 2, "ok", "2"),
    ],
)
def test_quota_check_compares_with_the_number_of_models(
    value: float, models: int, outcome: str, why: str
) -> None:
    known = {LARGE.format("training"): Quota("L-1", 20.0), LARGE.format("processing"): Quota("L-2", value)}
    training, processing = checks.quotas(config(*["ml.m5.large"] * models), known, "eu-west-1")
    assert training == Finding("quota ml.m5.large for training job usage", "ok", "20")
    assert (processing.what, processing.outcome, processing.why) == (
        "quota ml.m5.large for processing job usage",
        outcome,
        why,
    )
    more = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-2 "
        f"--desired-value {models} --region eu-west-1"
    )
    assert processing.way_out == (None if outcome == "ok" else more)


def own(**training: Any) -> Config:
    """A configuration with one model, of own code in src/."""
    found = config("ml.m5.large")
    (name,) = found.models
    own_code = {"source_dir": "src", "entry_point": "train.py", "image": "xgboost:3.0-5", **training}
    model = found.models[name].model_copy(update={"training": Training.model_validate(own_code)})
    return found.model_copy(update={"models": {"churn": model}})


def test_quota_check_knows_what_own_code_needs_at_once() -> None:
    """Candidate and champion are scored at the same time."""
    known = {
        "ml.m5.large for spot training job usage": Quota("L-1", 3.0),
        "ml.m5.large for processing job usage": Quota("L-2", 1.0),
    }
    training, processing = checks.quotas(own(spot=True, instance_count=4), known, "eu-west-1")
    assert (training.what, training.outcome) == ("quota ml.m5.large for spot training job usage", "error")
    assert training.why == "it is 3, and one training job needs 4 instances"
    assert (processing.outcome, processing.why) == (
        *("warning", "it is 1, and 2 may be needed at once: jobs wait for each other"),
    )


def test_quota_check_looks_at_the_type_of_the_jobs_without_gpu() -> None:
    found = checks.quotas(own(instance_type="ml.g5.xlarge"), {}, "eu-west-1")
    assert [item.what for item in found] == [
        "quota ml.g5.xlarge for training job usage",
        "quota ml.m5.xlarge for processing job usage",
    ]


def test_own_code_check_says_what_would_be_published(tmp_path: Path) -> None:
    (missing,) = checks.own_code(own(), tmp_path, "eu-west-1")
    assert (missing.what, missing.outcome) == ("own code of churn", "error")
    assert missing.why == f"training.source_dir src is no folder beside handsoff.yaml in {tmp_path}"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)\n")
    (found,) = checks.own_code(own(), tmp_path, "eu-west-1")
    assert (found.outcome, found.why) == (
        "ok",
        "1 files, 9 bytes in src; 141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5",
    )
    (elsewhere,) = checks.own_code(own(image="pytorch:2.6.0"), tmp_path, "us-iso-east-1")
    assert elsewhere.outcome == "error"
    assert elsewhere.why.startswith("SageMaker hosts pytorch:2.6.0 in no region 'us-iso-east-1'; it is in ")
    assert checks.own_code(config("ml.m5.large"), tmp_path, "eu-west-1") == []


def test_own_code_check_finds_an_image_of_another_region(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("")
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1"
    (found,) = checks.own_code(own(image=image), tmp_path, "us-east-1")
    assert (found.outcome, found.why) == (
        "error",
        f"{image} is in eu-west-1, and SageMaker pulls images of its own region only",
    )
    (found,) = checks.own_code(own(image=image), tmp_path, "eu-west-1")
    assert found.outcome == "ok"


@pytest.mark.parametrize(
    ("found", "outcome"), [(True, "ok"), (False, "error"), (Problem("AccessDenied", "no"), "not checked")]
)
def test_image_check_looks_for_an_image_of_this_account(found: bool | Problem, outcome: str) -> None:
    item = checks.image("1.dkr.ecr/churn:1", found)
    assert (item.what, item.outcome) == ("image 1.dkr.ecr/churn:1", outcome)


def test_quota_check_refuses_an_instance_type_without_quota() -> None:
    found = checks.quotas(config("ml.m99.large"), {}, "eu-west-1")
    assert [item.outcome for item in found] == ["error", "error"]
    assert found[0].why == "SageMaker has no such quota in eu-west-1: it may not offer this type there"


def test_quota_check_without_permission_is_not_checked() -> None:
    (found,) = checks.quotas(config("ml.m5.large"), Problem("AccessDeniedException", "no"), "eu-west-1")
    assert (found.outcome, found.why) == ("not checked", "AccessDeniedException: no")
    assert "servicequotas:ListServiceQuotas" in (found.way_out or "")


@pytest.mark.parametrize(
    ("wanted", "unreserved", "ours", "outcome"),
    [
        (5, 105, 0, "ok"),
        (5, 104, 0, "error"),
        (5, 100, 5, "ok"),  # deployed before: its 5 are counted as free
        (6, 100, 5, "error"),
        (5, 10, 0, "error"),  # a new account
        (0, 10, 0, "ok"),
    ],
)
def test_concurrency_check_keeps_100_unreserved(
    wanted: int, unreserved: int, ours: int, outcome: str
) -> None:
    found = checks.concurrency(wanted, Concurrency(unreserved, ours))
    assert found.outcome == outcome
    if outcome == "error":
        assert "handsoff deploy --parameter ReviewConcurrency=0" in (found.way_out or "")


@pytest.mark.parametrize(
    ("found", "existing", "outcome", "why"),
    [
        (Bucket("free"), False, "ok", "Terraform makes it"),
        (Bucket("ours", "eu-west-1"), False, "ok", "it exists"),
        (Bucket("not ours"), False, "error", "it belongs to another account, or"),
        (Bucket("free"), True, "error", "aws.bucket names it, and it does not exist"),
        (
            Bucket("ours", "us-east-1"),
            True,
            "error",
            "it is in us-east-1, and everything else",
        ),
        (
            Bucket("ours", "eu-west-1", versioned=False),
            True,
            "error",
            "it keeps no versions, and an execution reads the versions of its batch",
        ),
        (
            Bucket("ours", "eu-west-1", tells_eventbridge=False),
            True,
            "error",
            "it sends no events to EventBridge, so nothing would start",
        ),
        (Bucket("ours", "eu-west-1"), True, "ok", "it exists, keeps versions, sends events to EventBridge"),
    ],
)
def test_bucket_check(found: Bucket, existing: bool, outcome: str, why: str) -> None:
    said = checks.bucket(BUCKET, "eu-west-1", found, existing=existing)
    assert (said.what, said.outcome) == (f"bucket {BUCKET}", outcome)
    assert said.why.startswith(why)
    assert (said.way_out is None) == (outcome == "ok")


@pytest.mark.parametrize(
    ("status", "prefix", "outcome", "why"),
    [
        ("UPDATE_COMPLETE", "handsoff", "ok", "it is this deployment's, UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", "handsoff", "ok", "it is this deployment's, UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_COMPLETE", "other", "error", "another stack has this name"),
        ("ROLLBACK_COMPLETE", "handsoff", "warning", "it is ROLLBACK_COMPLETE: deploy removes its remains"),
        (
            "REVIEW_IN_PROGRESS",
            "handsoff",
            "warning",
            "it is REVIEW_IN_PROGRESS: deploy removes",
        ),
        ("UPDATE_IN_PROGRESS", "handsoff", "error", "it is UPDATE_IN_PROGRESS: another deployment runs"),
        ("UPDATE_ROLLBACK_FAILED", "handsoff", "error", "it is UPDATE_ROLLBACK_FAILED"),
    ],
)
def test_stack_check(status: str, prefix: str, outcome: str, why: str) -> None:
    said = checks.stack("handsoff", Stack(status, {"Prefix": prefix}, {}))
    assert said.outcome == outcome
    assert said.why.startswith(why)


def test_stack_check_without_a_stack_is_ok() -> None:
    assert checks.stack("handsoff", None) == Finding("stack handsoff", "ok", "it does not exist yet")


@pytest.mark.parametrize(
    ("region", "partition", "outcome"),
    [
        ("eu-west-1", "aws", "ok"),
        ("us-east-1", "aws", "ok"),
        ("eu-south-2", "aws", "warning"),
        ("il-central-1", "aws", "warning"),
        ("cn-north-1", "aws-cn", "warning"),
        ("us-gov-west-1", "aws-us-gov", "warning"),
    ],
)
def test_review_page_check_warns_where_lambda_has_no_function_urls(
    region: str, partition: str, outcome: str
) -> None:
    found = checks.review_page(Location("123456789012", region, partition))
    assert (found.what, found.outcome) == ("review page", outcome)
    assert (found.way_out is None) == (outcome == "ok")
    if outcome == "warning":
        assert f"Lambda has no function URLs in {region} (" in found.why
        assert "`handsoff approve` and `handsoff reject`" in str(found.way_out)


@pytest.mark.slow
def test_function_urls_agree_with_cfn_lint_in_each_region_with_the_image() -> None:
    """cfn-lint has the resource types of each region. It lags behind AWS's documents in two of them."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # imports sympy, half a second

    without = set()
    for region in images.ACCOUNTS:
        try:
            PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, "AWS::Lambda::Url")
        except ResourceNotFoundError:
            without.add(region)
    partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    ours = {
        region
        for region in images.ACCOUNTS
        if function_urls.missing(
            Location(
                "", region, next((p for start, p in partitions.items() if region.startswith(start)), "aws")
            )
        )
    }
    assert ours - without == {"eu-south-2", "cn-north-1"}
    assert without <= ours
    assert len(ours) == 11


def test_volumes_check_warns_where_the_key_cannot_encrypt_local_disks() -> None:
    key = {"kms_key": "arn:aws:kms:eu-west-1:123456789012:key/0123abcd"}
    keyless = config("ml.m5d.large", "ml.m5.large", "ml.g5.xlarge")
    guarded = keyless.model_copy(update={"aws": keyless.aws.model_copy(update=key)})
    assert checks.volumes(keyless) == []
    found = checks.volumes(guarded)
    assert [(item.what, item.outcome) for item in found] == [
        ("volumes of m0", "warning"),
        ("volumes of m2", "warning"),
    ]
    assert found[0].why.startswith(
        "ml.m5d.large has local disks. The hardware encrypts them by keys of its own"
    )
