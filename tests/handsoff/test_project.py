"""Where a project's files lie: the user's beside handsoff.yaml, handsoff's in a checkout or in the wheel."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from handsoff.commands import terminal
from handsoff.deploying import containers
from handsoff.project import load
from local.server import Cloud
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


@pytest.fixture
def default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The configuration file of the current folder, for commands that are given none."""
    monkeypatch.chdir(folder)
    terminal.choose(terminal.DEFAULT)
    yield folder / "handsoff.yaml"
    terminal.choose(terminal.DEFAULT)


def test_demo_shows_the_sample_in_an_empty_folder(default: Path) -> None:
    default.unlink()
    shown = terminal.project_to_show()
    assert (shown.folder, shown.work, shown.app) == (default.parent, default.parent / ".handsoff", ROOT)
    assert list(shown.config.models) == ["titanic"]
    assert list(default.parent.iterdir()) == []


def test_demo_shows_the_sample_beside_a_configuration_of_other_models(default: Path) -> None:
    default.write_text(default.read_text().replace("  titanic:", "  churn:"))
    shown = terminal.project_to_show()
    assert (shown.folder, list(shown.config.models)) == (default.parent, ["titanic"])


def test_demo_shows_the_titanic_of_the_configuration(default: Path) -> None:
    default.write_text(f"prefix: acme\n{default.read_text().replace('prefix: handsoff', '')}")
    assert terminal.project_to_show().config.prefix == "acme"


def test_demo_refuses_a_configuration_that_was_named_and_does_not_exist(default: Path) -> None:
    terminal.choose(default.with_name("other.yaml"))
    with pytest.raises(ConfigError, match=r"other\.yaml does not exist"):
        terminal.project_to_show()


@pytest.mark.parametrize(
    ("config", "made", "expected"),
    [
        ("handsoff.yaml", (), "handsoff local env"),
        ("handsoff.yaml", (".venv/bin/handsoff",), ".venv/bin/handsoff local env"),
        ("/my models/handsoff.yaml", (), "handsoff --config '/my models/handsoff.yaml' local env"),
    ],
)
def test_next_command_works_on_the_same_configuration(
    default: Path, monkeypatch: pytest.MonkeyPatch, config: str, made: tuple[str, ...], expected: str
) -> None:
    for name in (*made, "bin/handsoff"):
        (default.parent / name).parent.mkdir(parents=True)
        (default.parent / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(default.parent / "bin"))
    terminal.choose(Path(config))
    assert terminal.again("local", "env") == expected


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["demo", "up", "down", "invoke", "doctor", "deploy", "destroy"])
def test_make_passes_the_configuration_on(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target, "CONFIG=/my models/handsoff.yaml"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("handsoff "))
    assert shlex.split(line)[:3] == ["handsoff", "--config", "/my models/handsoff.yaml"]


@pytest.mark.parametrize("own", [True, False])
def test_event_is_the_users_or_one_of_handsoffs(
    default: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """`handsoff local invoke Reconcile events/each_minute.json` works in any folder, without Docker here."""
    template = default.with_name("built.json")
    template.write_text(
        '{"Resources": {"Reconcile": {"Type": "AWS::Serverless::Function", "Properties": {}}}}'
    )
    monkeypatch.setattr(containers, "prepare", lambda *_: template)
    monkeypatch.setattr(containers, "sam", lambda *_: ["sam"])
    event = Path("events", "each_minute.json")
    if own:
        event.parent.mkdir()
        event.touch()
    cloud = Cloud("http://127.0.0.1:1", "us-east-1", 1, default.parent, ("key", "secret"))
    command = containers.command(load(default), cloud, "Reconcile", event)
    expected = "events/each_minute.json" if own else f"{ROOT}/events/each_minute.json"
    assert command == ["sam", "Reconcile", "--event", expected]
