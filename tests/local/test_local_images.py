"""Environments with the packages of images, what lies on top of them, and jobs that run in them."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local.errors import NoEnvironment
from local.images import installing, layers, table
from local.images.environments import COMPLETE, Environments
from local.images.table import Image
from local.types import Json
from tests.local.aws import Aws
from tests.local.support import IMAGE, processing, training, wheel

ALONE = "__import__('%s')"
SCIKIT_LEARN = table.IMAGES[0]


def program(text: str) -> list[str]:
    return ["python3", "-c", text]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """An image that holds nothing but a package of the user's, so that its environment is made at once."""
    (tmp_path / "small-1.txt").write_text("")
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    here = "{}.{}".format(*sys.version_info)
    return Image("small:1", ("small:1",), here, "/bin/python", "sagemaker-training", "", (), "nothing")


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """Those of a user with an empty cache."""
    return Environments({**installing.of_user(os.environ), "XDG_CACHE_HOME": str(tmp_path / "cache")})


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (IMAGE, "scikit-learn:1.9-0"),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-scikit-learn:1.9-0-cpu-py3", "scikit-learn:1.9-0"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5", "xgboost:3.0-5"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1", None),
        ("sagemaker-scikit-learn", None),
        ("", None),
    ],
)
def test_find_image_by_repository_and_tag(uri: str, name: str | None) -> None:
    found = table.find(uri)
    assert (found.name if found else None) == name


def test_each_image_has_locked_packages_with_hashes_and_no_address() -> None:
    for image in table.IMAGES:
        text = image.lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "\npip==" in text


def test_installing_takes_caches_indexes_and_proxies_and_no_credentials_of_aws() -> None:
    environment = {
        **{"HOME": "/home/ann", "PIP_INDEX_URL": "file:///x", "UV_OFFLINE": "1", "https_proxy": "p"},
        **{"AWS_SECRET_ACCESS_KEY": "s", "PYTHONPATH": "/x", "VIRTUAL_ENV": "/v"},
    }
    assert installing.of_user(environment) == {
        **{"HOME": "/home/ann", "PIP_INDEX_URL": "file:///x", "UV_OFFLINE": "1", "https_proxy": "p"},
    }


def test_pip_settings_hold_the_users_configuration_variables_and_cache(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\ntimeout = 7\nretries = 1\n[install]\nno-deps = 1\n"
    )
    found = installing.pip_settings({"HOME": str(tmp_path), "PIP_RETRIES": "2", "PIP_EXTRA_INDEX_URL": "a b"})
    assert found.split("\n\n")[0].splitlines() == [
        "[global]",
        f"cache-dir = {tmp_path}/.cache/pip",
        "disable-pip-version-check = 1",
        "timeout = 7",
        "retries = 2",
        "extra-index-url = a b",
    ]
    assert "[install]\nno-deps = 1" in found


@pytest.mark.slow
def test_environment_is_made_once_by_many_and_again_if_half_made(
    small: Image, environments: Environments
) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=environments.environment, args=(small, said.append)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1
    assert said[0].startswith("making an environment with the packages of small:1, once on this machine")
    folder = environments.environment(small, said.append)
    (folder / "left").write_text("of a process that was killed")
    (folder / COMPLETE).unlink()
    assert environments.environment(small, said.append) == folder
    assert len(said) == 2
    assert not (folder / "left").exists()


@pytest.mark.slow
def test_environment_whose_python_is_gone_is_made_again(small: Image, environments: Environments) -> None:
    folder = environments.environment(small)
    (folder / "bin/python").unlink()
    (folder / "bin/python").symlink_to("/nowhere/python3")
    environments.environment(small)
    assert subprocess.run([folder / "bin/python", "-c", ""], check=True).returncode == 0


@pytest.mark.slow
def test_environment_has_the_byte_code_of_all_but_the_packages_own_tests(
    small: Image, environments: Environments, tmp_path: Path
) -> None:
    made = wheel(tmp_path, "mine", "more/testing.py", "more/tests/test_it.py", "more/test/it.py")
    hashed = hashlib.sha256(made.read_bytes()).hexdigest()
    (tmp_path / "small-1.txt").write_text(f"mine==1.0 --hash=sha256:{hashed}")
    indexed = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path)}
    folder = Environments({**environments.variables, **indexed}).environment(small)
    packages = layers.packages_of(folder, folder)
    compiled = (f"{path.parent.parent.name}/{path.name}" for path in packages.rglob("*.pyc"))
    tag = sys.implementation.cache_tag
    assert sorted(compiled) == [f"more/testing.{tag}.pyc", f"site-packages/mine.{tag}.pyc"]
    assert (packages / "more/tests/test_it.py").exists()


@pytest.mark.slow
def test_environment_that_cannot_be_made_says_what_uv_said(
    small: Image, environments: Environments, tmp_path: Path
) -> None:
    (tmp_path / "small-1.txt").write_text("handsoff-is-no-such-package==1.0 --hash=sha256:" + "0" * 64)
    offline = Environments({**environments.variables, "UV_OFFLINE": "1"})
    with pytest.raises(NoEnvironment, match="handsoff-is-no-such-package"):
        offline.environment(small)
    assert not list(tmp_path.glob(f"cache/handsoff/images/*/{COMPLETE}"))


@pytest.mark.slow
def test_layer_sees_what_lies_below_and_changes_none_of_it(tmp_path: Path) -> None:
    base = Environments().environment(SCIKIT_LEARN)
    first, second = tmp_path / "first", tmp_path / "second"
    layers.make(first, [base])
    python = layers.make(second, [first, base], "[global]\nno-index = 1\n")
    for folder, text in ((first, "VALUE = 1"), (second, "VALUE = 2")):
        (layers.packages_of(folder, base) / "mine.py").write_text(text)
    report = "import joblib, json, mine, sys; print(json.dumps([mine.VALUE, sys.prefix, joblib.__file__]))"
    done = subprocess.run([python, "-c", report], capture_output=True, text=True, check=True)
    value, prefix, joblib = json.loads(done.stdout)
    assert (value, prefix) == (2, str(second))
    assert joblib.startswith(str(base))
    assert sorted(path.name for path in (second / "bin").iterdir()) == sorted(
        path.name for path in (base / "bin").iterdir() if path.name.startswith(("pip", "python"))
    )
    said = subprocess.run([second / "bin/pip", "config", "list"], capture_output=True, text=True, check=True)
    assert "global.no-index='1'" in said.stdout


@pytest.mark.story
@pytest.mark.parametrize("package", ["pydantic", "moto", "ministack", "yaml", "retraining", "local", "uv"])
def test_job_cannot_import_a_package_of_the_project_alone(aws: Aws, package: str) -> None:
    __import__(package)
    _, steps = aws.run(processing(program=program(ALONE % package)))
    lines = aws.lines("Processing", aws.job(steps["Prepare"])["ProcessingJobName"])
    assert lines[-1] == f"ModuleNotFoundError: No module named '{package}'"


@pytest.mark.story
def test_forked_script_cannot_import_a_package_of_the_project_alone(aws: Aws) -> None:
    source = aws.source("code/leak.tar.gz", train="import numpy, sklearn, pydantic")
    _, steps = aws.run(training(hyperparameters={"sagemaker_submit_directory": source}))
    lines = aws.lines("Training", aws.job(steps["Train"])["TrainingJobName"])
    assert lines[-1] == "ModuleNotFoundError: No module named 'pydantic'"


INSTALLS = """
import json, pathlib, shutil, subprocess, sys, zipfile
wheel, info = pathlib.Path("mine-1.0-py3-none-any.whl"), "mine-1.0.dist-info/"
with zipfile.ZipFile(wheel, "w") as archive:
    archive.writestr("mine.py", "VALUE = 7")
    archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n")
    archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    archive.writestr(info + "RECORD", "")
subprocess.run({command}, check=True, stdout=subprocess.DEVNULL)
import mine
own = mine.__file__.startswith(sys.prefix)
print(json.dumps([mine.VALUE, own, shutil.which("python3") == sys.executable + "3"]))
"""


@pytest.mark.story
@pytest.mark.parametrize(
    "command",
    ['[sys.executable, "-m", "pip", "install", str(wheel)]', '["pip", "install", str(wheel)]'],
)
def test_package_that_a_job_installs_is_its_own(aws: Aws, command: str) -> None:
    source = aws.source("code/pip.tar.gz", train=INSTALLS.replace("{command}", command))
    for _ in range(2):
        _, steps = aws.run(training(hyperparameters={"sagemaker_submit_directory": source}))
        lines = aws.lines("Training", aws.job(steps["Train"])["TrainingJobName"])
        assert lines[-1] == "[7, true, true]"
    _, steps = aws.run(processing(program=program("import mine")))
    assert steps["Prepare"]["StepStatus"] == "Failed"


SCORES = "import json, sys, xgboost; print(json.dumps([__name__, sys.argv[1:], xgboost.__version__]))"


@pytest.mark.story
def test_processing_job_of_another_image_runs_its_script_there(aws: Aws) -> None:
    uri = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
    image, code = table.find(uri), "/opt/ml/processing/code/score.py"
    assert image
    Environments().environment(image)  # now: to make it may take longer than the test waits for a job
    application: Json = {
        "ImageUri": uri,
        "ContainerEntrypoint": ["python3", code],
        "ContainerArguments": ["--optional"],
    }
    step = processing(
        inputs={"code": aws.put("scoring/score.py", SCORES)}, arguments={"AppSpecification": application}
    )
    _, steps = aws.run(step)
    lines = aws.lines("Processing", aws.job(steps["Prepare"])["ProcessingJobName"])
    assert lines[0].startswith("This is not the image xgboost:3.0-5: it is Python 3.")
    assert json.loads(lines[1]) == ["__main__", ["--optional"], "3.0.5"]


@pytest.mark.story
def test_job_of_an_unknown_image_is_refused_with_the_known_ones(aws: Aws) -> None:
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    application: Json = {"AppSpecification": {"ImageUri": uri, "ContainerEntrypoint": program("print(1)")}}
    _, steps = aws.run(processing(arguments=application))
    reason = steps["Prepare"]["FailureReason"]
    assert reason == (
        f"ClientError: Cannot find the image {uri} on this machine, which has the packages of "
        "scikit-learn:1.9-0, xgboost:3.0-5, pytorch:2.6.0. With Docker it runs any image that was pulled: "
        f"docker pull {uri}"
    )
