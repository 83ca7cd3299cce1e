"""Several deployments from one folder, by a Terraform configuration that needs no AWS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from handsoff.deploying.terraform import Terraform
from tests import providers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
]

CONFIGURATION = """
terraform {
  backend "local" {
    path          = "../state/terraform.tfstate"
    workspace_dir = "../state/others"
  }
}

variable "prefix" { type = string }

resource "terraform_data" "data" { input = var.prefix }
resource "terraform_data" "rest" { input = terraform_data.data.id }

output "prefix" { value = var.prefix }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "terraform"
    made.mkdir()
    (made / "main.tf").write_text(CONFIGURATION)
    (made / "handsoff.auto.tfvars.json").write_text('{"prefix": "rendered by another environment"}')
    return made


def environment(folder: Path, name: str) -> Terraform:
    made = Terraform(folder, name, folder.parent / "work")
    made.prepare()
    made.variables.write_text(json.dumps({"prefix": name}))
    return made


def test_environments_keep_separate_values_plans_and_states(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_WORKSPACE", "somebody-else-s")
    one, two = environment(folder, "default"), environment(folder, "handsoffdev")
    assert one.state().resources == {}
    for each in (one, two):
        assert each.plan().changes == {"terraform_data.data": "+", "terraform_data.rest": "+"}
    for each in (one, two):
        each.apply()
    for each in (environment(folder, "default"), environment(folder, "handsoffdev")):
        assert each.state().outputs == {"prefix": each.workspace}
        assert each.plan().changes == {}
    shutil.rmtree(folder / ".terraform")  # as on another machine; a third environment
    assert environment(folder, "handsoffnew").state().resources == {}


def test_partial_destroy_keeps_the_states_outputs(folder: Path) -> None:
    here = environment(folder, "handsoffdev")
    here.plan()
    here.apply()
    assert here.plan(destroy=["terraform_data.rest"]).changes == {"terraform_data.rest": "-"}
    here.apply()
    assert here.state().outputs == {"prefix": "handsoffdev"}
    assert list(here.state().resources) == ["terraform_data.data"]
    here.plan(destroy=())
    here.apply()
    assert here.state().resources == {}


def test_first_mirror_needs_the_layout_of_a_mirror(tmp_path: Path) -> None:
    for path in (
        "cache/hashicorp/aws/5.100.0/linux_amd64",
        "archive/registry.example.org/hashicorp/aws/index.json",
        "mirror/registry.example.org/hashicorp/aws/5.100.0/linux_amd64",
    ):
        (tmp_path / path).mkdir(parents=True)
    found = list(tmp_path.glob("**/hashicorp/aws"))
    assert len(found) == 3
    assert providers.first_mirror(found) == tmp_path / "mirror"
    assert providers.first_mirror([]) is None


def test_providers_environment_keeps_given_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CLI_ARGS_init", "-plugin-dir=/mine")
    assert providers.environment.__wrapped__()["TF_CLI_ARGS_init"] == "-plugin-dir=/mine"
