"""The parts of deploying that need no AWS: what a plan says, what stays, how programs are run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, WaiterError
from rich.console import Console

from handsoff.deploying import deploy, sam, tools
from handsoff.deploying.deploy import (
    NotAgreed,
    Refused,
    Site,
    StepFailed,
    clear_unborn,
    delete_stack,
    parse_parameters,
    step,
)
from handsoff.deploying.destroy import Inventory, goes, keeping, left, remains
from handsoff.deploying.refusals import Here, refusals
from handsoff.deploying.terraform import Plan, Resource, State, read_plan, read_state, workspace
from retraining.errors import HandsoffError
from tests.local.support import wait_until

ROOT = Path(__file__).parents[2]


# ---- Terraform ---------------------------------------------------------------------------------------


def test_what_a_plan_changes() -> None:
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


def test_an_empty_plan() -> None:
    assert str(read_plan({})) == "nothing to change"
    assert Plan({}).changes == {}


@pytest.mark.parametrize(("prefix", "name"), [("handsoff", "default"), ("handsoffdev", "handsoffdev")])
def test_each_prefix_has_a_state_of_its_own(prefix: str, name: str) -> None:
    assert workspace(prefix) == name


def test_what_a_state_knows() -> None:
    made = {
        "address": "aws_s3_bucket.data[0]",
        "mode": "managed",
        "values": {"bucket": "b"},
        "depends_on": ["aws_kms_key.x"],
    }
    reading = {"address": "data.aws_region.here", "mode": "data", "values": {"name": "r"}}
    outputs = {"region": {"sensitive": False, "value": "eu-west-1", "type": "string"}}
    state = read_state({"values": {"outputs": outputs, "root_module": {"resources": [made, reading]}}})
    assert state == State(
        {"region": "eu-west-1"}, {"aws_s3_bucket.data[0]": Resource({"bucket": "b"}, ("aws_kms_key.x",))}
    )
    assert state.values("aws_s3_bucket", "bucket") == ["b"]
    assert state.values("aws_s3", "bucket") == []
    assert read_state({"format_version": "1.0"}) == State({}, {})


# ---- what is refused ---------------------------------------------------------------------------------

GROUP = 'aws_sagemaker_model_package_group.model["titanic"]'
MADE = State(
    {"account": "111111111111", "region": "eu-west-1", "prefix": "handsoff"},
    {
        "aws_s3_bucket.data[0]": Resource({"bucket": "b"}),
        GROUP: Resource({"model_package_group_name": "handsoff-titanic"}),
    },
)
HERE = Here("handsoff", "111111111111", "eu-west-1", Path("/p/terraform"), "default")


def test_nothing_is_refused_where_all_is_well() -> None:
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
def test_a_state_of_another_account_region_or_prefix_is_refused(here: Here, said: str) -> None:
    (reason,) = refusals(here, MADE)
    assert "workspace default, is of account 111111111111 region eu-west-1 prefix handsoff, and" in reason
    assert f"this is {said}." in reason


def test_a_state_that_knows_nothing_of_what_is_there_is_refused() -> None:
    there = replace(HERE, things=("the bucket b", "the stack handsoff"))
    (reason,) = refusals(there, State({}, {}))
    assert reason.startswith(
        "the bucket b, the stack handsoff: there, and Terraform's state in /p/terraform,"
    )
    assert "docs/how-to/deploy-from-github.md" in reason
    (reason,) = refusals(replace(there, stand_in=True), State({}, {}))
    assert "made by `handsoff local up`" in reason
    assert refusals(there, MADE) == []


@pytest.mark.parametrize("sign", ["-", "±"])
def test_a_plan_that_ends_what_holds_data_or_guards_it_is_refused(sign: str) -> None:
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


def test_a_group_without_packages_may_go_with_its_model() -> None:
    assert refusals(replace(HERE, packages={"handsoff-titanic": 0}), MADE, Plan({GROUP: "-"})) == []
    assert len(refusals(replace(HERE, packages={"handsoff-titanic": 1}), MADE, Plan({GROUP: "-"}))) == 5


# ---- SAM ---------------------------------------------------------------------------------------------


def test_parameters_that_are_typed() -> None:
    template = ROOT / "template.yaml"
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack=1"
    assert parse_parameters([f"SlackSecret={secret}", "ReviewConcurrency=0"], template) == {
        "SlackSecret": secret,
        "ReviewConcurrency": "0",
    }
    for ours in ("Prefix", "DataBucket", "PermissionsBoundary", "DataKey"):
        with pytest.raises(HandsoffError, match="--parameter takes NAME=VALUE"):
            parse_parameters([f"{ours}=x"], template)


def test_the_sam_cli_reads_values_as_they_are_written(tmp_path: Path) -> None:
    program = (
        "import sys; from samcli.cli.types import CfnParameterOverridesType as P, CfnTags as T;"
        "print(P().convert(tuple(sys.argv[1:3]), None, None), T().convert(tuple(sys.argv[3:]), None, None))"
    )
    parameters = sam.pairs({"DataKey": "", "SlackSecret": "a=b c"})
    tags = sam.pairs({"cost center": "a b", "team:name": ""})
    done = subprocess.run(
        [ROOT / ".venv-sam" / "bin" / "python", "-c", program, *parameters, *tags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        "{'DataKey': '', 'SlackSecret': 'a=b c'} {'cost center': 'a b', 'team:name': ''}\n"
    )


# ---- what stays --------------------------------------------------------------------------------------


def test_what_holds_data_stays_with_all_that_it_needs() -> None:
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


def test_data_stay_unless_they_are_to_be_purged() -> None:
    data = ["the bucket b with 12 objects", "model packages of handsoff-titanic: 2", "the ledger handsoff-"]
    for purge, gone in ((False, False), (True, True)):
        going = "\n".join(goes(FULL, purge=purge))
        staying = dict(remains(FULL, purge=purge))
        for line in data:
            assert (line in going) == gone
            assert (line in "\n".join(staying)) != gone


def test_a_bucket_that_was_there_before_is_never_emptied() -> None:
    assert not any("theirs" in line for line in goes(THEIRS, purge=True))
    assert dict(remains(THEIRS, purge=True))["the bucket theirs, which was there before"]


def test_afterwards_all_is_named_that_is_still_there() -> None:
    staying = "\n".join(what for what, _ in left(FULL))
    for what in ("the stack", "the pipeline handsoff-titanic", "the bucket b with", "handsoff-titanic: 2"):
        assert what in staying
    assert "the ledger handsoff-Ledger-A: which data was trained on, who decided what, and why." in staying
    assert "the stack" not in "\n".join(what for what, _ in left(THEIRS))


# ---- steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        tools.ToolFailed("why"),
        ClientError({"Error": {"Code": "Throttling", "Message": "why"}}, "CreateRole"),
        EndpointConnectionError(endpoint_url="why"),
    ],
)
def test_a_step_that_fails_says_which_it_was_why_and_how_it_goes_on(error: Exception) -> None:
    with pytest.raises(StepFailed) as failed, step(Console(quiet=True), "Terraform applies: 1 to make"):
        raise error
    said = str(failed.value)
    assert said.startswith("Terraform applies: 1 to make: ")
    assert "why" in said
    assert said.endswith("\nWhat was done before stands. Mend the cause; the same command goes on")


class Terraform:
    """Terraform with one thing to make, which says when it is told to. In memory: this is about the order."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    def plan(self) -> Plan:
        return Plan({"aws_iam_role.x": "+"})

    def apply(self) -> None:
        self.done.append("applied")


@pytest.mark.parametrize(
    ("answer", "outcome", "done"),
    [
        (False, pytest.raises(NotAgreed, match="nothing was changed"), []),
        (True, nullcontext(), ["uploaded", "applied", "published"]),
    ],
)
def test_code_is_uploaded_after_the_answer_and_before_a_definition_names_it(
    answer: bool, outcome: AbstractContextManager[object], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    deployment = SimpleNamespace(
        upload=lambda _model: did.append("uploaded"), publish=lambda _model: did.append("published")
    )
    project = SimpleNamespace(config=SimpleNamespace(models={"titanic": None}))
    here = SimpleNamespace(
        project=project, deployment=deployment, terraform=Terraform(did), prefix="handsoff"
    )
    for name in ("prepare", "refuse", "_build", "clear_unborn", "_sam_deploy"):
        monkeypatch.setattr(deploy, name, lambda *_: None)
    monkeypatch.setattr(deploy, "_bucket_is_there", lambda _site: True)
    with outcome:
        deploy.deploy(cast("Site", here), Console(quiet=True), agreed=lambda _plan: answer)
    assert did == done


class CloudFormation:
    """One stack, which goes when it is deleted, or cannot. In memory, because no local AWS fails a stack."""

    def __init__(self, status: str, *, change_set: str | None = None, stuck: bool = False) -> None:
        self.status: str | None = status
        self.change_set = change_set
        self.stuck = stuck

    def get_paginator(self, name: str) -> CloudFormation:
        assert name == "list_change_sets"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        made = [{"Status": self.change_set, "ChangeSetId": "arn:set"}] if self.change_set else []
        return [{"Summaries": made}]

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.status is None:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, "x")
        return {"Stacks": [{"StackStatus": self.status, "StackStatusReason": "the bucket is not empty"}]}

    def delete_stack(self, **_: str) -> None:
        self.status = "DELETE_FAILED" if self.stuck else None

    def get_waiter(self, name: str) -> CloudFormation:
        assert name == "stack_delete_complete"
        return self

    def wait(self, **_: object) -> None:
        if self.stuck:
            raise WaiterError(name="x", reason="terminal failure", last_response={})


def site_of(client: CloudFormation) -> Site:
    session = SimpleNamespace(client=lambda _name: client)
    deployment = SimpleNamespace(session=session)
    return cast("Site", SimpleNamespace(prefix="handsoff", endpoint=None, deployment=deployment))


@pytest.mark.parametrize(
    ("status", "change_set", "after"),
    [
        ("ROLLBACK_COMPLETE", None, None),
        ("ROLLBACK_COMPLETE", "CREATE_COMPLETE", None),  # the one that failed
        ("REVIEW_IN_PROGRESS", None, None),
        ("REVIEW_IN_PROGRESS", "FAILED", None),
        ("UPDATE_COMPLETE", None, "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", None, "UPDATE_ROLLBACK_COMPLETE"),
    ],
)
def test_only_a_stack_that_never_was_is_removed_before_a_deployment(
    status: str, change_set: str | None, after: str | None
) -> None:
    client = CloudFormation(status, change_set=change_set)
    clear_unborn(site_of(client))
    assert client.status == after


@pytest.mark.parametrize("change_set", ["CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
def test_a_stack_that_somebody_is_about_to_make_is_left_alone(change_set: str) -> None:
    client = CloudFormation("REVIEW_IN_PROGRESS", change_set=change_set)
    with pytest.raises(Refused, match=f"a change set of it is {change_set}.*--change-set-name arn:set"):
        clear_unborn(site_of(client))
    assert client.status == "REVIEW_IN_PROGRESS"


def test_a_stack_that_cannot_be_deleted_says_why() -> None:
    said = "the stack handsoff is DELETE_FAILED: the bucket is not empty"
    with pytest.raises(StepFailed, match=said):
        delete_stack(site_of(CloudFormation("UPDATE_COMPLETE", stuck=True)))


# ---- programs ----------------------------------------------------------------------------------------


def run(program: str, folder: Path, **environment: str | None) -> str:
    return tools.run("the program", [sys.executable, "-c", program], folder=folder, environment=environment)


def test_what_a_program_complains_of_is_shown_only_if_it_fails(tmp_path: Path) -> None:
    said = "import sys; print('said'); print('complained', file=sys.stderr); sys.exit({})"
    assert run(said.format(0), tmp_path) == "said\n"
    with pytest.raises(
        tools.ToolFailed, match=r"(?s)`the program` failed with exit code 3:\nsaid\ncomplained"
    ):
        run(said.format(3), tmp_path)


def test_a_variable_can_be_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere")
    program = "import os; print(os.environ.get('TF_CLI_CONFIG_FILE'))"
    assert run(program, tmp_path) == "/nowhere\n"
    assert run(program, tmp_path, TF_CLI_CONFIG_FILE=None) == "None\n"


def test_the_project_s_own_programs_come_first(tmp_path: Path) -> None:
    program = "import os; print(os.environ['PATH'].split(os.pathsep)[0])"
    assert run(program, tmp_path) == f"{Path(sys.executable).parent}\n"


def test_a_program_may_finish_what_it_is_at_when_somebody_presses_ctrl_c(tmp_path: Path) -> None:
    program = """if True:
        import pathlib, signal, time
        def until(done):
            end = time.monotonic() + 60
            while not done() and time.monotonic() < end:
                time.sleep(0.01)
        asked = []
        signal.signal(signal.SIGINT, lambda *_: asked.append(1))
        pathlib.Path("began").touch()
        until(lambda: asked)
        pathlib.Path("asked").touch()
        until(pathlib.Path("may-end").exists)  # Terraform writes its state
        pathlib.Path("finished").write_text(str(len(asked)))
        """
    outer = "import pathlib, sys, handsoff.deploying.tools as t; "
    outer += f"t.run('x', [sys.executable, '-c', {program!r}], folder=pathlib.Path.cwd(), environment={{}})"
    with subprocess.Popen(
        [sys.executable, "-c", outer], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        wait_until((tmp_path / "began").exists)
        os.killpg(process.pid, signal.SIGINT)
        wait_until((tmp_path / "asked").exists)
        os.killpg(process.pid, signal.SIGINT)  # an impatient second one
        with pytest.raises(subprocess.TimeoutExpired):  # it goes on waiting
            process.wait(timeout=1)
        (tmp_path / "may-end").touch()
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert (tmp_path / "finished").read_text() == "1"


def test_a_program_that_is_being_started_when_somebody_presses_ctrl_c_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[str]] = []
    begin = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        begun.append(begin(*arguments, **options))
        signal.raise_signal(signal.SIGINT)
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run("import time; time.sleep(60)", tmp_path)
        assert begun[0].poll() is not None
    finally:
        begun[0].kill()
