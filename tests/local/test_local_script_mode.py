"""Script mode: what the toolkits of the images do with a source directory."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local import server
from local.images import installing, requirements, table
from local.images.environments import Environments, locked
from local.types import Json
from tests.local.aws import Aws
from tests.local.support import processing, training, wait_until, wheel

pytestmark = pytest.mark.story
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"

SAYS = """
import json, os, sys
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("SM_")}))
print(json.dumps(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An AWS whose user has an index of two packages, and a cache with the images of this machine alone."""
    folder = tmp_path_factory.mktemp("aws")
    packages = folder / "packages"
    packages.mkdir()
    for name in ("mine", "yours"):
        wheel(packages, name)
    scikit_learn, xgboost = (Environments().environment(image) for image in table.IMAGES[:2])
    images = scikit_learn.parent
    assert xgboost.parent == images
    (folder / "cache/handsoff").mkdir(parents=True)
    (folder / "cache/handsoff/images").symlink_to(images)
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patched.delenv(name)
        patched.setenv("PIP_NO_INDEX", "1")
        patched.setenv("PIP_FIND_LINKS", str(packages))
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        cloud = server.start(folder / "cloud", port=None)
    cloud.client("s3").create_bucket(Bucket="bucket")
    yield Aws(cloud, "bucket")
    assert server.stop(folder / "cloud")


def source(aws: Aws, **files: str) -> str:
    """A source directory on S3; `a__b` in a name stands for a.b."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    aws.cloud.client("s3").put_object(Bucket="bucket", Key="code/source.tar.gz", Body=data.getvalue())
    return "s3://bucket/code/source.tar.gz"


def train(
    aws: Aws, image: str | None = None, script: str = "train.py", **files: str
) -> tuple[Json, list[str]]:
    """The step of a training job of these files, once it has ended, and the lines of the job's log."""
    given = {"sagemaker_submit_directory": source(aws, **files), "sagemaker_program": json.dumps(script)}
    algorithm = {**training()["Arguments"]["AlgorithmSpecification"]}
    if image:
        algorithm["TrainingImage"] = image
    step = training(
        hyperparameters={**given, "max-depth": "3", "b": "true", "n": "null"},
        arguments={"AlgorithmSpecification": algorithm},
    )
    _, steps = aws.run(step)
    return steps["Train"], aws.lines("Training", aws.job(steps["Train"])["TrainingJobName"])


def test_requirements_are_installed_once_before_the_script_and_for_it_alone(aws: Aws) -> None:
    files = {
        "train__py": "import mine; print(mine.VALUE)",
        "requirements__txt": "# mine\nmine==1.0  # first\n",
    }
    step, lines = train(aws, **files)
    assert step["StepStatus"] == "Succeeded"
    assert lines[1].endswith("/miniconda3/bin/python -m pip install -r requirements.txt")
    assert any(line.startswith("Successfully installed mine-1.0") for line in lines)
    assert lines[-1] == "7"
    _, lines = train(aws, **files)
    assert lines[2].startswith("An earlier job has installed it on 20")
    assert lines[3:] == ["7"]
    step, lines = train(aws, train__py="import mine")
    assert lines[-1] == "ModuleNotFoundError: No module named 'mine'"
    _, steps = aws.run(processing(program=["python3", "-c", "import mine"]))
    assert steps["Prepare"]["StepStatus"] == "Failed"


def test_requirements_of_two_jobs_at_once_are_installed_once(aws: Aws) -> None:
    files = {"train__py": "import yours", "requirements__txt": "yours"}
    submit = source(aws, **files)
    step = training(hyperparameters={"sagemaker_submit_directory": submit})["Arguments"]
    names = ["first", "second"]
    for name in names:
        aws.sagemaker.create_training_job(TrainingJobName=name, **step)

    def over(name: str) -> bool:
        job = aws.sagemaker.describe_training_job(TrainingJobName=name)
        return bool(job["TrainingJobStatus"] == "Completed")

    wait_until(lambda: all(map(over, names)))
    said = [line for name in names for line in aws.lines("Training", name)]
    assert sum(line.startswith("Successfully installed yours") for line in said) == 1
    assert sum(line.startswith("An earlier job has installed it") for line in said) == 1


def test_requirements_that_cannot_be_installed_fail_the_job_in_the_toolkits_words(aws: Aws) -> None:
    files = {"train__py": "print('ran')", "requirements__txt": "nobodys"}
    for _ in range(2):
        step, lines = train(aws, **files)
        assert step["FailureReason"] == (
            'AlgorithmError: InstallRequirementsError:\nExitCode 1\nErrorMessage ""\n'
            'Command "/miniconda3/bin/python -m pip install -r requirements.txt", exit code: 1'
        )
        assert any("No matching distribution found for nobodys" in line for line in lines)
        assert "ran" not in lines


def test_requirements_that_name_files_are_installed_for_each_job(aws: Aws) -> None:
    files = {"train__py": "import mine", "requirements__txt": "-r more.txt", "more__txt": "mine"}
    for _ in range(2):
        step, lines = train(aws, **files)
        assert step["StepStatus"] == "Succeeded"
        assert any(line.startswith("Successfully installed mine-1.0") for line in lines)


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("mine==1.0\nyours>=2,<3 ; python_version > '3'\n", True),
        ("mine[extra] \\\n    --hash=sha256:abc\n", True),
        ("", True),
        ("-r more.txt", False),
        ("./mine", False),
        ("mine-1.0-py3-none-any.whl", False),
        ("mine @ file:///mine", False),
        ("--find-links folder", False),
        (".", False),
    ],
)
def test_requirements_are_kept_if_they_name_packages_alone(tmp_path: Path, text: str, is_kept: bool) -> None:
    assert (requirements.kept(tmp_path, tmp_path / "base", text) is not None) == is_kept


def test_kept_requirements_are_told_apart_by_packages_and_not_by_comments(tmp_path: Path) -> None:
    def name(text: str, base: str = "base") -> str:
        found = requirements.kept(tmp_path, tmp_path / base, text)
        assert found
        return found.folder.name

    assert name("mine==1.0") == name("# the first\nmine==1.0  # pinned\n\n")
    assert len({name("mine==1.0"), name("mine==1.1"), name("mine==1.0", "other")}) == 3


def test_stopped_job_ends_while_another_installs_its_requirements(aws: Aws) -> None:
    variables = {**installing.of_user(os.environ), "XDG_CACHE_HOME": str(aws.cloud.folder.parent / "cache")}
    base = Environments(variables).environment(table.IMAGES[0])
    kept = requirements.kept(installing.cache(variables), base, "waited-for")
    assert kept
    submit = source(aws, train__py="", requirements__txt="waited-for")
    step = training(hyperparameters={"sagemaker_submit_directory": submit})["Arguments"]
    with locked(kept.lock):
        aws.sagemaker.create_training_job(TrainingJobName="waits", **step)
        wait_until(lambda: len(aws.lines("Training", "waits")) == 2)
        aws.sagemaker.stop_training_job(TrainingJobName="waits")

        def status() -> bool:
            job = aws.sagemaker.describe_training_job(TrainingJobName="waits")
            return bool(job["TrainingJobStatus"] == "Stopped")

        wait_until(status)


def test_variables_and_arguments_are_those_of_the_toolkit(aws: Aws) -> None:
    step, lines = train(aws, train__py=SAYS)
    variables, arguments = json.loads(lines[1]), json.loads(lines[2])
    assert arguments == ["-b", "True", "--max-depth", "3", "-n", ""]
    ml = variables["SM_MODEL_DIR"].removesuffix("/model")
    job = aws.job(step)["TrainingJobName"]
    group = '{"hosts":["algo-1"],"instance_group_name":"homogeneousCluster","instance_type":"ml.m5.large"}'
    resources = (
        '{"current_group_name":"homogeneousCluster","current_host":"algo-1","current_instance_type":"ml.m5.large",'
        f'"hosts":["algo-1"],"instance_groups":[{group}],"network_interface_name":"lo"}}'
    )
    environment = json.loads(variables.pop("SM_TRAINING_ENV"))
    assert environment["hyperparameters"] == {"b": True, "max-depth": 3, "n": None}
    assert environment["module_name"] == "train"
    assert variables == {
        "SM_CHANNELS": "[]",
        "SM_CURRENT_HOST": "algo-1",
        "SM_CURRENT_INSTANCE_GROUP": "homogeneousCluster",
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-1"]',
        "SM_CURRENT_INSTANCE_TYPE": "ml.m5.large",
        "SM_DISTRIBUTION_INSTANCE_GROUPS": "[]",
        "SM_FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
        "SM_FRAMEWORK_PARAMS": "{}",
        "SM_HOSTS": '["algo-1"]',
        "SM_HPS": '{"b":true,"max-depth":3,"n":null}',
        "SM_HP_B": "true",
        "SM_HP_MAX-DEPTH": "3",
        "SM_HP_N": "",
        "SM_INPUT_CONFIG_DIR": f"{ml}/input/config",
        "SM_INPUT_DATA_CONFIG": "{}",
        "SM_INPUT_DIR": f"{ml}/input",
        "SM_INSTANCE_GROUPS": '["homogeneousCluster"]',
        "SM_INSTANCE_GROUPS_DICT": f'{{"homogeneousCluster":{group}}}',
        "SM_IS_HETERO": "false",
        "SM_JOB_NAME": job,
        "SM_LOG_LEVEL": "20",
        "SM_MASTER_HOSTNAME": "algo-1",
        "SM_MODEL_DIR": f"{ml}/model",
        "SM_MODULE_DIR": "s3://bucket/code/source.tar.gz",
        "SM_MODULE_NAME": "train",
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_NUM_GPUS": "0",
        "SM_NUM_NEURONS": "0",
        "SM_OUTPUT_DATA_DIR": f"{ml}/output/data",
        "SM_OUTPUT_DIR": f"{ml}/output",
        "SM_OUTPUT_INTERMEDIATE_DIR": f"{ml}/output/intermediate",
        "SM_RESOURCE_CONFIG": resources,
        "SM_USER_ARGS": '["-b","True","--max-depth","3","-n",""]',
        "SM_USER_ENTRY_POINT": "train.py",
    }


def test_shell_script_runs_in_the_source_directory_without_requirements(aws: Aws) -> None:
    text = (
        "python3 -c \"import sys; print(sys.prefix == '$SM_MODEL_DIR'[:-8] + 'python')\"; echo \"$@\"; exit 4"
    )
    step, lines = train(aws, script="train.sh", train__sh=text, requirements__txt="nobodys")
    assert lines[-1] == "-b True --max-depth 3 -n"
    assert step["FailureReason"] == (
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 4\nErrorMessage ""\n'
        'Command "/bin/sh -c ./train.sh -b True --max-depth 3 -n ", exit code: 1'
    )


@pytest.mark.parametrize(
    "own",
    ["", "import pathlib, os; pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('own')\n"],
)
def test_xgboost_runs_the_script_as_a_module_and_overwrites_its_failure_file(aws: Aws, own: str) -> None:
    code = f"{own}import xgboost, sys; print(xgboost.__version__, __name__, sys.argv[0][-14:]); 1 / 0"
    step, lines = train(aws, XGBOOST, train__py=code)
    assert "3.0.5 __main__ /code/train.py" in lines
    assert step["FailureReason"] == (
        "AlgorithmError: ExecuteUserScriptError:\n"
        'Command "/miniconda3/bin/python3 -m train -b True --max-depth 3 -n ", exit code: 1'
    )


def test_xgboost_installs_requirements_as_its_toolkit_words_it(aws: Aws) -> None:
    step, lines = train(aws, XGBOOST, train__py="import mine", requirements__txt="mine")
    assert step["StepStatus"] == "Succeeded", lines
    step, _ = train(aws, XGBOOST, train__py="", requirements__txt="nobodys")
    assert step["FailureReason"] == (
        "AlgorithmError: InstallModuleError:\n"
        'Command "/miniconda3/bin/python3 -m pip install . -r requirements.txt", exit code: 1'
    )


SPOT = {"EnableManagedSpotTraining": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 60}}, "Invalid MaxWaitTimeInSeconds. It must"),
        (
            {**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntime",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is false",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://bucket/kept", "LocalPath": "/opt/ml/model"}},
            "LocalPath /opt/ml/model must be a path under /opt/ml that is not SageMaker's own, such as",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://bucket/kept", "LocalPath": "/tmp/kept"}},
            "LocalPath /tmp/kept must be a path under /opt/ml",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30}},
            "InstanceCount 2 is not supported on this machine, which runs a job as one process: set "
            "training.instance_count to 1 to try it here",
        ),
    ],
)
def test_training_job_that_cannot_run_is_refused(aws: Aws, changes: Json, message: str) -> None:
    with pytest.raises(ClientError) as refused:
        aws.sagemaker.create_training_job(TrainingJobName="never", **training(arguments=changes)["Arguments"])
    assert message in str(refused.value)


@pytest.mark.parametrize("ends", ["pass", "sys.exit(1)"])
def test_checkpoints_are_found_by_the_next_job_on_spare_instances(aws: Aws, ends: str) -> None:
    code = (
        "import pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--kept') + 1])\n"
        "before = sorted(path.name for path in folder.iterdir())\n"
        "print('before:', *before)\n"
        "(folder / f'epoch-{len(before)}').write_text('x')\n" + ends
    )
    kept = f"s3://bucket/kept/{ends}"
    step = training(
        hyperparameters={
            "sagemaker_submit_directory": source(aws, train__py=f"import sys\n{code}"),
            "kept": '"/opt/ml/checkpoints"',
        },
        arguments={
            **SPOT,
            "CheckpointConfig": {"S3Uri": kept},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        },
    )
    for before in ("before:", "before: epoch-0"):
        _, steps = aws.run(step)
        job = aws.job(steps["Train"])
        assert aws.lines("Training", job["TrainingJobName"])[1] == before
        assert (job["EnableManagedSpotTraining"], job["CheckpointConfig"]) == (True, {"S3Uri": kept})
    assert aws.get(f"kept/{ends}/epoch-1") == b"x"


def test_script_that_names_a_path_of_the_image_is_told_so(aws: Aws) -> None:
    default = "import os\nos.environ.get('SM_MODEL_DIR', '/opt/ml/model')\n"
    step, lines = train(aws, train__py=default, other__py="open('/opt/ml/model/x', 'w')")
    assert step["StepStatus"] == "Succeeded"
    assert lines[1] == (
        "other.py: /opt/ml does not exist on this machine, only in the image. Take the path of a variable, "
        "such as SM_MODEL_DIR, or of a hyperparameter"
    )


READS = """
import os, pathlib, pandas
from sagemaker_xgboost_container import distributed, encoder as xgb_encoders
from sagemaker_xgboost_container.data_utils import get_content_type, get_dmatrix, get_size
folder = pathlib.Path("rows")
texts = {"csv": "1,0.5,\\n0,1.5,2\\n", "libsvm": "1 0:0.5\\n0 0:1.5 1:2\\n"}
for name, text in texts.items():
    (folder / name / "below").mkdir(parents=True)
    (folder / name / "below" / "part").write_text(text)
    (folder / name / "_columns.json").write_text("[]")
(folder / "parquet").mkdir()
rows = pandas.DataFrame({"y": [1.0, 0.0], "a": [0.5, 1.5], "b": [None, 2.0]})
rows.to_parquet(folder / "parquet" / "part")
for name in ("csv", "libsvm", "parquet"):
    found = get_dmatrix(str(folder / name), get_content_type(name))
    print(name, found.num_row(), found.num_col(), *found.get_label(), found.num_nonmissing())
print(get_dmatrix("none", "csv"), get_size(str(folder / "csv")), get_content_type("text/csv;label_size=1"))
print(xgb_encoders.decode(b"0.5,\\n1.5,2", "text/csv; charset=utf-8").num_nonmissing())
print(xgb_encoders.libsvm_to_dmatrix(b"1 0:0.5").num_row(), xgb_encoders.json_to_jsonlines({"x": [1, 2]}))
distributed.wait_hostname_resolution(["algo-1"])
hosts = ["algo-1"]
distributed.rabit_run(lambda **x: print(x), {"x": 1}, True, hosts, hosts[0], update_rabit_args=True)
"""


def test_xgboost_scripts_find_what_they_import_of_the_image(aws: Aws) -> None:
    step, lines = train(aws, XGBOOST, train__py=READS)
    assert step["StepStatus"] == "Succeeded", lines
    assert [line for line in lines[1:] if "Warning" not in line and "warnings.warn" not in line] == [
        "csv 2 2 1.0 0.0 3",
        "libsvm 2 2 1.0 0.0 3",
        "parquet 2 2 1.0 0.0 3",
        "None 15 csv",
        "3",
        "1 b'1\\n2\\n'",
        "{'x': 1, 'is_master': True}",
    ]
