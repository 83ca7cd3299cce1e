"""Where a project's files lie: the user's beside handsoff.yaml, handsoff's in a checkout or in the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from handsoff.project import load
from retraining.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds only handsoff.yaml."""
    (tmp_path / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    return tmp_path


def test_files_of_handsoff_are_those_of_the_code_that_runs(folder: Path) -> None:
    project = load(folder / "handsoff.yaml")
    assert (project.folder, project.work, project.app) == (folder, folder / ".handsoff", ROOT)
    assert project.template == ROOT / "template.yaml"


def test_template_in_the_users_folder_is_not_taken_for_handsoffs(folder: Path) -> None:
    (folder / "template.yaml").write_text("Resources: {}\n")
    (folder / "functions").mkdir()
    (folder / "terraform").mkdir()
    assert load(folder / "handsoff.yaml").template == ROOT / "template.yaml"


def test_checkout_uses_its_own_files(folder: Path) -> None:
    (folder / "pipeline_def").mkdir()
    (folder / "pipeline_def" / "publish.py").touch()
    assert load(folder / "handsoff.yaml").app == folder


def test_config_elsewhere_keeps_its_state_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load(Path("../handsoff.yaml")).work == folder / ".handsoff"


def test_unknown_model_names_the_file_that_was_read(folder: Path) -> None:
    path = folder / "production.yaml"
    (folder / "handsoff.yaml").rename(path)
    with pytest.raises(ConfigError, match=r"no model churn in .*/production\.yaml; it has: titanic"):
        load(path).model("churn")
