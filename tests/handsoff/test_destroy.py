"""What taking a deployment down removes and keeps."""

from __future__ import annotations

from handsoff.deploying.destroy import keeping
from handsoff.deploying.inventory import Inventory, left_over, remaining, removed


def test_keeping_includes_what_data_depend_on() -> None:
    resources = {
        "aws_s3_bucket.data[0]": [],
        "aws_s3_bucket_policy.data[0]": ["aws_s3_bucket.data", "aws_iam_role.pipeline"],
        "aws_iam_role.pipeline[0]": ["aws_kms_key.x"],
        "aws_kms_key.x": [],
        "aws_iam_role_policy.pipeline": ["aws_iam_role.pipeline"],
        'aws_sagemaker_model_package_group.model["titanic"]': [],
        'aws_sagemaker_pipeline.model["titanic"]': ["aws_iam_role.pipeline"],
        "aws_ssm_parameter.data_bucket": ["aws_s3_bucket.data"],
    }
    assert keeping(resources) == {
        "aws_s3_bucket.data[0]",
        "aws_s3_bucket_policy.data[0]",
        "aws_iam_role.pipeline[0]",
        "aws_kms_key.x",
        'aws_sagemaker_model_package_group.model["titanic"]',
    }
    assert keeping({}) == set()


FULL = Inventory(
    stack=True,
    pipelines=("handsoff-titanic",),
    ledgers=("handsoff-Ledger-A",),
    bucket="b",
    objects="12",
    own_bucket=True,
    packages={"handsoff-titanic": 2},
)
THEIRS = Inventory(
    stack=False, pipelines=(), ledgers=(), bucket="theirs", objects="12", own_bucket=False, packages={}
)


def test_inventory_removes_data_only_with_purge() -> None:
    data = ["the bucket b with 12 objects", "model packages of handsoff-titanic: 2", "the ledger handsoff-"]
    for purge, gone in ((False, False), (True, True)):
        going = "\n".join(removed(FULL, purge=purge))
        staying = dict(remaining(FULL, purge=purge))
        for line in data:
            assert (line in going) == gone
            assert (line in "\n".join(staying)) != gone


def test_inventory_never_removes_an_existing_bucket() -> None:
    assert not any("theirs" in line for line in removed(THEIRS, purge=True))
    assert dict(remaining(THEIRS, purge=True))["the bucket theirs, which existed before"]


def test_left_over_names_everything_that_still_exists() -> None:
    staying = "\n".join(what for what, _ in left_over(FULL))
    for what in ("the stack", "the pipeline handsoff-titanic", "the bucket b with", "handsoff-titanic: 2"):
        assert what in staying
    assert "the ledger handsoff-Ledger-A: training data, decisions, reasons." in staying
    assert "the stack" not in "\n".join(what for what, _ in left_over(THEIRS))
