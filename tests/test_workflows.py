"""The delivery workflow: its commands exist, its permissions are minimal, and it uses no secrets."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from handsoff.cli import app
from handsoff.deploying import sam
from handsoff.project import load

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "deliver.yml"
ACTION = ROOT / ".github" / "actions" / "reach-aws" / "action.yml"
FILES = [WORKFLOW, ACTION]
DEPENDABOT = ROOT / ".github" / "dependabot.yml"


def jobs() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]  # type: ignore[no-any-return]


def steps(path: Path) -> list[dict[str, Any]]:
    found = yaml.safe_load(path.read_text())
    if "runs" in found:
        return list(found["runs"]["steps"])
    return [step for job in found["jobs"].values() for step in job["steps"]]


def commands() -> list[str]:
    return [line for path in FILES for step in steps(path) for line in step.get("run", "").splitlines()]


def test_workflow_files_are_the_known_ones() -> None:
    assert sorted((ROOT / ".github").rglob("*.y*ml")) == sorted([*FILES, DEPENDABOT])


def test_workflow_uses_existing_make_targets() -> None:
    wanted = {found for line in commands() for found in re.findall(r"\bmake ([a-z-]+)", line)}
    assert wanted == {"check", "scan", "demo", "test", "doctor", "deploy"}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert wanted <= set(targets)


@pytest.mark.parametrize("target", ["doctor", "deploy", "destroy", "demo"])
def test_make_target_runs_the_command_of_the_same_name(target: str) -> None:
    rule = re.search(rf"^{target}:.*\n\t@handsoff(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    assert target in rule[1].split()
    assert target in get_command(app).commands  # type: ignore[attr-defined]


def test_workflow_options_exist_in_the_deploy_command() -> None:
    given = {found for line in commands() for found in re.findall(r"ARGS=(--[a-z-]+)", line)}
    assert given == {"--plan", "--yes"}
    command = get_command(app).commands["deploy"]  # type: ignore[attr-defined]
    assert given <= {name for parameter in command.params for name in parameter.opts}


def test_workflow_permissions_are_minimal_per_job() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs().items()} == {
        "check": {"contents": "read"},
        "plan": {"contents": "read", "id-token": "write"},
        "deploy": {"contents": "read", "id-token": "write"},
    }


def test_workflow_triggers() -> None:
    triggers = yaml.safe_load(WORKFLOW.read_text())[True]  # YAML 1.1 takes `on` for true
    assert triggers == {"pull_request": None, "push": {"branches": ["main"]}}
    assert jobs()["deploy"]["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    assert jobs()["deploy"]["environment"] == "production"
    assert {jobs()[name]["needs"] for name in ("plan", "deploy")} == {"check"}


def test_plan_job_skips_forks() -> None:
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    assert jobs()["plan"]["if"] == f"github.event_name == 'pull_request' && {ours}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_workflow_uses_no_secrets_or_keys(path: Path) -> None:
    text = path.read_text()
    assert "secrets." not in text
    assert not re.search(r"AKIA|ASIA|access-key-id|secret-access-key", text)
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_workflow_commands_contain_no_expressions(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_actions_are_pinned_and_of_known_owners(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    assert len(used) == sum("uses" in step for step in steps(path)) > 0
    for name in used:
        commit = r"(actions|hashicorp|aws-actions)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
        assert re.fullmatch(rf"{commit}|\./[\w./-]+", name)


def test_dependabot_watches_locked_packages_and_actions() -> None:
    updates = yaml.safe_load(DEPENDABOT.read_text())["updates"]
    folders = {update["package-ecosystem"]: update["directories"] for update in updates}
    ours = [folder for folder in ROOT.iterdir() if folder.is_dir() and ".venv" not in folder.name]
    locked = {path.parent for folder in ours for path in folder.rglob("*.in")}
    assert folders["pip"] == sorted(f"/{folder.relative_to(ROOT)}" for folder in locked)
    assert folders["github-actions"] == ["/", *(f"/{path.parent.relative_to(ROOT)}" for path in [ACTION])]


def test_deploy_job_runs_alone_and_is_not_cancelled() -> None:
    assert jobs()["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


# ---- docs/how-to/deploy-from-github.md --------------------------------------------------------------------

PAGE = ROOT / "docs" / "how-to" / "deploy-from-github.md"


def policies() -> dict[str, dict[str, Any]]:
    """The statements of the page's policies by their Sid."""
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    return {statement["Sid"]: statement for policy in found for statement in policy["Statement"]}


def test_page_names_every_workflow_variable() -> None:
    wanted = set(re.findall(r"vars\.(\w+)", WORKFLOW.read_text()))
    assert wanted == {"AWS_REGION", "AWS_PLAN_ROLE", "AWS_DEPLOY_ROLE", "STATE_BUCKET"}
    assert all(f"`{name}`" in PAGE.read_text() for name in wanted)


def test_page_has_the_workflows_backend() -> None:
    (page,) = re.findall(r"```hcl\n(.*?)```", PAGE.read_text(), re.DOTALL)
    written = steps(ACTION)[-1]["run"]
    settings = re.compile(r"(key|encrypt|use_lockfile) += (\S+)")
    assert settings.findall(page) == settings.findall(written)
    assert "terraform/backend_override.tf\n" in (ROOT / ".gitignore").read_text()


def test_deploy_role_trusts_one_environment_of_one_repository() -> None:
    condition = policies()["MainDeploys"]["Condition"]
    (claims,) = condition.values()
    assert list(condition) == ["StringEquals"]
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert claims["token.actions.githubusercontent.com:sub"].endswith(
        f":environment:{jobs()['deploy']['environment']}"
    )


WRITES = {
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "s3:DeleteObject",
    "s3:PutObject",
}


def the_plans() -> list[dict[str, Any]]:
    """The statements of the role that plans."""
    _, plan, _ = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return list(json.loads(plan)["Statement"])


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_plan_role_reads_only_the_listed() -> None:
    actions = {action for statement in the_plans() for action in listed(statement["Action"])}
    assert actions - WRITES == {
        "cloudformation:DescribeChangeSet",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplateSummary",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListAttachedUserPolicies",
        "iam:ListRolePolicies",
        "lambda:GetAccountSettings",
        "lambda:GetFunctionConcurrency",
        "s3:GetAccelerateConfiguration",
        "s3:GetBucket*",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetObject",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "sagemaker:DescribeModelPackage",
        "sagemaker:DescribeModelPackageGroup",
        "sagemaker:DescribePipeline",
        "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModelPackages",
        "sagemaker:ListPipelines",
        "sagemaker:ListTags",
        "scheduler:GetSchedule",
        "servicequotas:ListAWSDefaultServiceQuotas",
        "servicequotas:ListServiceQuotas",
        "ssm:DescribeParameters",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:ListTagsForResource",
    }
    assert {statement["Effect"] for statement in the_plans()} == {"Allow"}
    assert all("NotAction" not in item and "NotResource" not in item for item in the_plans())


def test_plan_role_writes_no_deployed_files() -> None:
    found = {
        (action, resource)
        for statement in the_plans()
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action in WRITES or action in ("s3:GetObject", "ssm:GetParameter", "ssm:GetParameters")
    }
    stack = "arn:aws:cloudformation:*:123456789012:stack/handsoff/*"
    transform = "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31"
    settings = "arn:aws:ssm:*:123456789012:parameter/handsoff/*"
    assert found == {
        ("cloudformation:CreateChangeSet", stack),
        ("cloudformation:CreateChangeSet", transform),
        ("cloudformation:DeleteChangeSet", stack),
        ("cloudformation:DeleteChangeSet", transform),
        ("s3:DeleteObject", "arn:aws:s3:::STATE/*.tflock"),
        ("s3:GetObject", "arn:aws:s3:::STATE/*"),
        ("s3:GetObject", "arn:aws:s3:::aws-sam-cli-managed-default-*/handsoff-plan/*"),
        ("s3:PutObject", "arn:aws:s3:::STATE/*.tflock"),
        ("s3:PutObject", "arn:aws:s3:::aws-sam-cli-managed-default-*/handsoff-plan/*"),
        ("ssm:GetParameter", settings),
        ("ssm:GetParameters", settings),
    }


SAM = """\
#!/bin/sh
echo "$@" >> "$CALLS"
while [ $# -gt 0 ]; do
  [ "$1" != --output-template-file ] || echo "- s3://b/$PREFIX-plan/1 - s3://b/other-plan/5" > "$2"
  shift
done
"""


@pytest.fixture
def sam_calls(tmp_path: Path) -> Callable[..., list[str]]:
    """Deploys or plans with a script in place of the SAM CLI; the arguments of each call."""
    program = tmp_path / ".venv-sam" / "bin" / "sam"
    program.parent.mkdir(parents=True)
    program.write_text(SAM)
    program.chmod(0o755)
    (tmp_path / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    project = replace(load(tmp_path / "handsoff.yaml"), app=tmp_path)

    def deploy(*, plan: bool = False) -> list[str]:
        environment = {"CALLS": str(tmp_path / "calls"), "PREFIX": project.config.prefix}
        run = sam.make_change_set if plan else sam.deploy
        run(project, tmp_path, parameters={}, environment=environment)
        return (tmp_path / "calls").read_text().splitlines()

    return deploy


def test_sam_deploy_forces_uploads(sam_calls: Callable[..., list[str]]) -> None:
    (call,) = sam_calls()
    assert {"deploy", "--force-upload", "--use-json", "--s3-prefix=handsoff"} <= set(call.split())


def test_sam_change_set_uploads_below_a_prefix_of_its_own(
    sam_calls: Callable[..., list[str]], tmp_path: Path
) -> None:
    package, deploy = (call.split() for call in sam_calls(plan=True))
    packed = tmp_path / "packed.json"
    assert {"package", "--use-json", "--s3-prefix=handsoff-plan", str(packed)} <= set(package)
    assert {"deploy", "--use-json", "--no-execute-changeset", str(packed)} <= set(deploy)
    assert "--s3-prefix=handsoff-plan" in deploy
    assert packed.read_text() == "- s3://b/handsoff/1 - s3://b/other-plan/5\n"


def test_deploy_role_makes_roles_and_users_only_with_the_boundary() -> None:
    makes = re.compile(r"iam:(Create(Role|User)|(Put|Delete|Attach|Detach)(Role|User)P\w+)$")
    found = {
        (action, name): statement.get("Condition")
        for name, statement in policies().items()
        for action in listed(statement["Action"])
        if makes.match(action)
    }
    bounded = {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/BOUNDARY"}}
    assert {action for action, _ in found} == {
        "iam:AttachUserPolicy",
        "iam:CreateRole",
        "iam:CreateUser",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPolicy",
        "iam:DetachUserPolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:PutUserPermissionsBoundary",
        "iam:PutUserPolicy",
    }
    assert all(condition == bounded for condition in found.values())
    assert not re.search(r"iam:\w*(AccessKey|LoginProfile)", PAGE.read_text())


def test_deploy_role_may_manage_the_operators_user() -> None:
    """The actions are Terraform's calls for the user, as AWS on this machine recorded them."""
    user = "arn:aws:iam::123456789012:user/data-science-user"
    allowed = {
        action
        for statement in policies().values()
        if statement.get("Resource") == user
        for action in listed(statement["Action"])
    }
    assert allowed >= {
        "iam:AttachUserPolicy",
        "iam:CreateUser",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:PutUserPolicy",
        "iam:TagUser",
    }


def test_make_help_lists_deployment_and_check_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"check", "scan", "doctor", "deploy", "destroy"} <= listed
