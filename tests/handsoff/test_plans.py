"""Reading Terraform's plans and states, and what of them is refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from handsoff.deploying.deploy import show_plan
from handsoff.deploying.refusals import Here, refusals
from handsoff.deploying.terraform import Plan, Resource, State, read_plan, read_state, workspace


def test_read_plan_counts_managed_changes_only() -> None:
    actions = {
        "a": ["create"],
        "b": ["delete", "create"],
        "c": ["no-op"],
        "d": ["update"],
        "e": ["create", "delete"],
        "f": ["delete"],
    }
    changes = [
        {"address": name, "mode": "managed", "change": {"actions": what}} for name, what in actions.items()
    ]
    reading = {"address": "data.x", "mode": "data", "change": {"actions": ["read"]}}
    plan = read_plan({"resource_changes": [*changes, reading]})
    assert plan.changes == {"a": "+", "b": "±", "d": "~", "e": "±", "f": "-"}
    assert str(plan) == "1 to make, 1 to change, 2 to replace, 1 to remove"


def test_read_plan_without_changes_is_empty() -> None:
    assert str(read_plan({})) == "nothing to change"
    assert Plan({}).changes == {}


CRON = {"state": "ENABLED", "schedule_expression": "cron(0 6 * * ? *)", "schedule_expression_timezone": "UTC"}
ENABLED_AGAIN = (
    "state: DISABLED → ENABLED",
    "the schedule of titanic was disabled by hand, and asks for retraining again. To keep it off, set "
    "retrain.paused: true (nothing starts), or remove retrain.schedule",
)


@pytest.mark.parametrize(
    ("actions", "before", "after", "notes"),
    [
        (["update"], CRON | {"state": "DISABLED"}, CRON, ENABLED_AGAIN),
        (["delete", "create"], CRON | {"state": "DISABLED"}, CRON, ENABLED_AGAIN),
        (
            ["update"],
            CRON | {"schedule_expression": "rate(1 day)", "schedule_expression_timezone": "Europe/Madrid"},
            CRON,
            (
                "schedule_expression: rate(1 day) → cron(0 6 * * ? *)",
                "schedule_expression_timezone: Europe/Madrid → UTC",
            ),
        ),
        (["update"], CRON | {"description": "x"}, CRON | {"description": "y"}, ()),
        (["create"], None, CRON, ()),
        (["delete"], CRON | {"state": "DISABLED"}, None, ()),
        (["no-op"], CRON | {"state": "DISABLED"}, CRON, ()),
        (["update"], CRON | {"state": None}, CRON, ()),
    ],
)
def test_read_plan_tells_what_changes_of_a_schedule(
    actions: list[str],
    before: dict[str, str | None] | None,
    after: dict[str, str] | None,
    notes: tuple[str, ...],
) -> None:
    address = 'aws_scheduler_schedule.model["titanic"]'
    item = {
        "address": address,
        "mode": "managed",
        "type": "aws_scheduler_schedule",
        "name": "model",
        "index": "titanic",
        "change": {"actions": actions, "before": before, "after": after},
    }
    assert read_plan({"resource_changes": [item]}).notes.get(address, ()) == notes


def test_read_plan_tells_nothing_of_the_values_of_other_resources() -> None:
    change = {"actions": ["update"], "before": {"state": "DISABLED"}, "after": {"state": "ENABLED"}}
    item = {"address": "aws_x.y", "mode": "managed", "type": "aws_x", "change": change}
    assert read_plan({"resource_changes": [item]}) == Plan({"aws_x.y": "~"})


def test_show_plan_has_the_notes_below_their_resource() -> None:
    address = 'aws_scheduler_schedule.model["titanic"]'
    shown = io.StringIO()
    show_plan(
        Console(file=shown, width=200),
        Plan({address: "~", "aws_iam_role.x": "+"}, {address: ("state: DISABLED → ENABLED", "[again]")}),
    )
    assert shown.getvalue().splitlines() == [
        "Terraform: 1 to make, 1 to change",
        f"  ~ {address}",
        "      state: DISABLED → ENABLED",
        "      [again]",
        "  + aws_iam_role.x",
    ]


@pytest.mark.parametrize(("prefix", "name"), [("handsoff", "default"), ("handsoffdev", "handsoffdev")])
def test_workspace_is_named_after_the_prefix(prefix: str, name: str) -> None:
    assert workspace(prefix) == name


def test_read_state_has_outputs_and_managed_resources() -> None:
    made = {
        "mode": "managed",
        "type": "aws_s3_bucket",
        "name": "data",
        "instances": [
            {"index_key": 0, "attributes": {"bucket": "b"}, "dependencies": ["aws_kms_key.x"]},
            {"index_key": 0, "attributes": {"bucket": "replaced"}, "deposed": "0f1e2d3c"},
        ],
    }
    keyed = {
        "mode": "managed",
        "type": "aws_ssm_parameter",
        "name": "model",
        "instances": [{"index_key": "titanic", "attributes": {"name": "/handsoff/titanic"}}],
    }
    single = {
        "mode": "managed",
        "type": "aws_kms_key",
        "name": "x",
        "instances": [{"attributes": {"id": "k"}}],
    }
    reading = {"mode": "data", "type": "aws_region", "name": "here", "instances": [{"attributes": {}}]}
    theirs = {**single, "module": "module.theirs"}
    pulled = {
        "version": 4,
        "outputs": {"region": {"value": "eu-west-1", "type": "string"}},
        "resources": [made, keyed, single, reading, theirs],
    }
    state = read_state(json.dumps(pulled))
    assert state == State(
        {"region": "eu-west-1"},
        {
            "aws_s3_bucket.data[0]": Resource({"bucket": "b"}, ("aws_kms_key.x",)),
            'aws_ssm_parameter.model["titanic"]': Resource({"name": "/handsoff/titanic"}),
            "aws_kms_key.x": Resource({"id": "k"}),
        },
    )
    assert state.values("aws_s3_bucket", "bucket") == ["b"]
    assert state.values("aws_s3", "bucket") == []


def test_read_state_of_a_new_workspace_is_empty() -> None:
    assert read_state("") == State({}, {})
    assert read_state('{"version": 4, "outputs": {}, "resources": []}') == State({}, {})


GROUP = 'aws_sagemaker_model_package_group.model["titanic"]'
MADE = State(
    {"account": "111111111111", "region": "eu-west-1", "prefix": "handsoff"},
    {
        "aws_s3_bucket.data[0]": Resource({"bucket": "b"}),
        GROUP: Resource({"model_package_group_name": "handsoff-titanic"}),
    },
)
HERE = Here("handsoff", "111111111111", "eu-west-1", Path("/p/terraform"), "default")


def test_refusals_of_a_harmless_plan_are_empty() -> None:
    plan = Plan({"aws_s3_bucket.data[0]": "~", "aws_sagemaker_pipeline.model": "-", "aws_s3_bucket.new": "+"})
    assert refusals(HERE, MADE, plan) == []
    assert refusals(HERE, State({}, {})) == []


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (replace(HERE, account="222222222222"), "account 222222222222 region eu-west-1 prefix handsoff"),
        (replace(HERE, region="eu-west-2"), "account 111111111111 region eu-west-2 prefix handsoff"),
        (replace(HERE, prefix="other"), "account 111111111111 region eu-west-1 prefix other"),
    ],
)
def test_refusals_name_a_state_of_another_account_region_or_prefix(here: Here, said: str) -> None:
    (reason,) = refusals(here, MADE)
    assert "workspace default, is of account 111111111111 region eu-west-1 prefix handsoff, and" in reason
    assert f"this is {said}." in reason


def test_refusals_name_existing_resources_of_an_empty_state() -> None:
    there = replace(HERE, things=("the bucket b", "the stack handsoff"))
    (reason,) = refusals(there, State({}, {}))
    assert reason.startswith(
        "the bucket b, the stack handsoff: exists, but Terraform's state in /p/terraform,"
    )
    assert "docs/how-to/deploy-from-github.md" in reason
    (reason,) = refusals(replace(there, stand_in=True), State({}, {}))
    assert "made by `handsoff local up`" in reason
    assert refusals(there, MADE) == []


@pytest.mark.parametrize("sign", ["-", "±"])
def test_refusals_name_data_that_a_plan_would_remove(sign: str) -> None:
    plan = Plan({"aws_s3_bucket_policy.data[0]": sign, GROUP: sign, "aws_iam_role.x": sign})
    said = refusals(replace(HERE, packages={"handsoff-titanic": 2}, workspace="default"), MADE, plan)
    assert said[1:3] == [
        f"  {sign} aws_s3_bucket_policy.data[0]",
        f"  {sign} {GROUP}, which holds 2 model packages",
    ]
    assert said[4] == (
        "  TF_WORKSPACE=default terraform -chdir=/p/terraform state rm "
        "'aws_s3_bucket_policy.data[0]' 'aws_sagemaker_model_package_group.model[\"titanic\"]'"
    )
    assert said[5].endswith("handsoff destroy --purge")


def test_refusals_allow_removing_an_empty_package_group() -> None:
    assert refusals(replace(HERE, packages={"handsoff-titanic": 0}), MADE, Plan({GROUP: "-"})) == []
    assert len(refusals(replace(HERE, packages={"handsoff-titanic": 1}), MADE, Plan({GROUP: "-"}))) == 5


def test_refusals_name_champions_whose_image_no_job_could_pull() -> None:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn-a:1"
    digest = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/old@sha256:{'ab' * 32}"
    here = replace(HERE, compared={"churn/3, the champion": image, "churn/1, the anchor": digest})
    said = refusals(here, MADE, Plan({}))
    assert said[1:3] == [f"  churn/3, the champion: {image}", f"  churn/1, the anchor: {digest}"]
    assert (
        "aws: {image_repositories: [123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn-a, "
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/old]}"
    ) in said[3]
