"""Starting and stopping a server, and that nothing is left of it."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import folder as folders
from local import server
from local.errors import AlreadyRunning, CloudError, FolderNotOurs, NoSpace, PortInUse, ServerDied
from local.server import Cloud
from tests.invocations import invoke
from tests.local.support import processing, wait_until, with_a_job

pytestmark = pytest.mark.story


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server. No process of it is left after the test."""
    path = tmp_path / "cloud"
    yield path
    server.stop(path)


def with_a_worker(cloud: Cloud, tmp_path: Path) -> None:
    """Call a Lambda function, whose worker then keeps running."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "import os\ndef handler(event, context): return dict(os.environ)\n")
    functions = cloud.client("lambda")
    functions.create_function(
        FunctionName="warm",
        Runtime="python3.11",
        Role="arn:aws:iam::123456789012:role/r",
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName="warm", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    environment = invoke(functions, "warm").decode()
    assert str(tmp_path) in environment
    assert "SECRET_OF_OURS" not in environment


def test_server_keeps_the_quotas_that_it_was_started_with(folder: Path) -> None:
    cloud = server.start(folder, port=None, quotas={"ml.m5.large for processing job usage": 0})
    sagemaker = cloud.client("sagemaker")
    with pytest.raises(
        sagemaker.exceptions.ResourceLimitExceeded, match="processing job usage' is 0 Instances"
    ):
        sagemaker.create_processing_job(ProcessingJobName="one", **processing()["Arguments"])
    larger = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    arguments = processing(arguments={"ProcessingResources": {"ClusterConfig": larger}})["Arguments"]
    assert sagemaker.create_processing_job(ProcessingJobName="one", **arguments)["ProcessingJobArn"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_after_a_signal_leaves_no_process_and_no_folder(
    folder: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "leak")
    monkeypatch.setenv("AWS_PROFILE", "real")
    cloud = server.start(folder, port=None)
    with_a_job(cloud)
    if number == signal.SIGTERM:
        with_a_worker(cloud, tmp_path)
    process = psutil.Process(cloud.pid)
    os.kill(cloud.pid, number)
    assert process.wait(15) == 0
    assert folders.strays(folder) == []
    assert not folder.exists()
    assert server.running(folder) is None


def test_start_clears_up_after_a_killed_server(folder: Path) -> None:
    first = server.start(folder, port=None)
    with_a_job(first)
    left = folders.strays(folder, spare=frozenset({first.pid}))
    psutil.Process(first.pid).kill()
    wait_until(lambda: server.running(folder) is None)
    assert any(process.is_running() for process in left)
    second = server.start(folder, port=None)
    assert second.pid != first.pid
    assert not any(process.is_running() and process.status() != "zombie" for process in left)
    assert list((folder / "jobs").iterdir()) == []
    assert server.stop(folder)
    assert not folder.exists()


def test_stop_clears_up_after_a_killed_server(folder: Path) -> None:
    cloud = server.start(folder, port=None)
    with_a_job(cloud)
    psutil.Process(cloud.pid).kill()
    wait_until(lambda: server.running(folder) is None)
    assert server.stop(folder) is False
    assert folders.strays(folder) == []
    assert not folder.exists()


def test_start_refuses_a_folder_with_a_running_server(folder: Path) -> None:
    cloud = server.start(folder, port=None)
    assert server.running(folder) == cloud
    with pytest.raises(AlreadyRunning, match="already runs in"):
        server.start(folder, port=None)
    assert server.running(folder) == cloud


def test_concurrent_starts_in_one_folder_make_one_server(folder: Path) -> None:
    outcomes: list[Cloud | CloudError] = []

    def begin() -> None:
        try:
            outcomes.append(server.start(folder, port=None))
        except CloudError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyRunning", "Cloud"]
    assert server.running(folder) in outcomes


def test_start_on_a_port_in_use_names_the_process(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            server.start(folder, port=port)
    assert str(refused.value).startswith(f"port {port} is in use by ")
    assert f"(pid {os.getpid()})" in str(refused.value)
    assert str(refused.value).endswith("choose another with --port")
    assert not folder.exists()


def test_server_process_on_a_port_in_use_prints_one_line(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "local.cloud", "--port", str(port), "--folder", str(folder)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"port {port} is in use: choose another with --port\n"
    assert not folder.exists()


def test_start_refuses_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MIN_FREE", 10**18)
    with pytest.raises(NoSpace, match="MB free and AWS on this machine needs"):
        server.start(folder, port=None)
    assert not folder.exists()


def test_start_and_stop_leave_a_folder_with_other_files_unchanged(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(FolderNotOurs, match="name another folder"):
        server.start(folder, port=None)
    assert server.stop(folder) is False
    assert (folder / "thesis.txt").read_text() == "mine"


def test_start_of_a_server_that_dies_keeps_its_log(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho something broke\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ServerDied) as died:
        server.start(folder, port=None, python=str(broken))
    assert "ended with exit code 3: something broke" in str(died.value)
    assert sorted(path.name for path in folder.iterdir()) == [folders.LOCK, folders.LOG]
    cloud = server.start(folder, port=None)
    assert server.running(folder) == cloud


def test_start_ends_a_server_that_is_not_ready_in_time(folder: Path, tmp_path: Path) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    with pytest.raises(ServerDied, match=r"was not ready after 0.3 s"):
        server.start(folder, port=None, python=str(hanging), timeout=0.3)


def test_stop_leaves_a_process_with_a_reused_pid_running(folder: Path) -> None:
    folder.mkdir()
    (folder / folders.LOCK).touch()
    (folder / folders.RECORD).write_text(
        f'{{"pid": {os.getpid()}, "createTime": 1.0, "port": 1, "region": "x", "administrator": ["a", "b"]}}'
    )
    assert server.running(folder) is None
    assert server.stop(folder) is False


def test_server_listens_on_the_loopback_interface_only(cloud: Cloud) -> None:
    listening = [
        c.laddr.ip for c in psutil.Process(cloud.pid).net_connections() if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "abc.lambda-url.us-east-1.localhost:4566"}, 200),
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:4566"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Referer": "https://evil.example/page"}, 403),
        ({"Origin": "https://evil.example@localhost.evil.example"}, 403),
    ],
)
def test_server_refuses_requests_of_other_sites(cloud: Cloud, headers: dict[str, str], status: int) -> None:
    """A job is any program, so a page of another site must not be able to start one."""
    asked = AWSRequest(
        "POST", cloud.endpoint, headers={"X-Amz-Target": "SageMaker.ListPipelines", **headers}, data="{}"
    )
    SigV4Auth(Credentials(*cloud.administrator), "sagemaker", "us-east-1").add_auth(asked)
    answer = requests.post(cloud.endpoint, headers=dict(asked.headers), data="{}", timeout=10)
    assert answer.status_code == status
    if status == 403:
        assert "access-control-allow-origin" not in answer.headers


def test_environment_directs_any_client_to_the_server(cloud: Cloud) -> None:
    environment = cloud.environment()
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint
    text = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    ran = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout == "123456789012\n"


def test_all_errors_are_cloud_errors() -> None:
    assert all(
        issubclass(e, CloudError) for e in (AlreadyRunning, FolderNotOurs, NoSpace, PortInUse, ServerDied)
    )
