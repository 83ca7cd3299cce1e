"""Who is let in by the bridge, and what is said where there is none. No Docker is needed here."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from handsoff import cli
from handsoff.deploying import containers
from handsoff.errors import NotInvocable
from handsoff.project import load
from local import callers, cloud, server
from local.errors import NoBridge, ServerDied
from tests.loop.conftest import ROOT

pytestmark = pytest.mark.slow

BRIDGE = "127.0.0.2/8"
"""Stands for Docker's: an address of this machine that is not 127.0.0.1."""


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Cloud]:
    folder = tmp_path_factory.mktemp("bridge") / "aws"
    yield server.start(folder, port=None, bridge=BRIDGE)
    server.stop(folder)


def asked(address: str, running: server.Cloud, **headers: str) -> int:
    """The status that one who asks there gets."""
    port = int(running.endpoint.rpartition(":")[2])
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/_ministack/health", headers=names)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.2", "host.docker.internal:4566", 200),
        ("127.0.0.2", "bucket.host.docker.internal", 200),
        ("127.0.0.2", "127.0.0.2", 403),
        ("127.0.0.2", "nothost.docker.internal", 403),
        ("127.0.0.2", "host.docker.internal.evil.example", 403),
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "host.docker.internal", 403),
    ],
)
def test_bridge_answers_its_address_and_dockers_name(
    bridged: server.Cloud, address: str, host: str, status: int
) -> None:
    assert asked(address, bridged, Host=host) == status


def test_bridge_refuses_a_page_of_another_site(bridged: server.Cloud) -> None:
    host = "host.docker.internal"
    assert asked("127.0.0.2", bridged, Host=host, Origin="http://evil.example") == 403
    assert asked("127.0.0.2", bridged, Host=host, Sec_Fetch_Site="cross-site") == 403


def test_bridge_answers_a_bucket_before_the_host_name(
    bridged: server.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As boto3 asks for it wherever the endpoint is a name."""
    bridged.client("s3").create_bucket(Bucket="bucket")
    bridged.client("s3").put_object(Bucket="bucket", Key="a/key", Body=b"what is there")
    port = bridged.endpoint.rpartition(":")[2]
    resolve = socket.getaddrinfo

    def as_in_a_container(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.2" if name.endswith("host.docker.internal") else host, *rest, **more)

    monkeypatch.setattr("socket.getaddrinfo", as_in_a_container)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://host.docker.internal:{port}",
        region_name="us-east-1",
        aws_access_key_id=bridged.administrator[0],
        aws_secret_access_key=bridged.administrator[1],
    )
    assert s3.get_object(Bucket="bucket", Key="a/key")["Body"].read() == b"what is there"


@pytest.mark.parametrize("host", ["host.docker.internal:4566", "localhost:4566", "127.0.0.1"])
@pytest.mark.parametrize(
    ("client", "enters"),
    [("172.17.0.2", True), ("172.17.255.254", True), ("127.0.0.1", True), ("192.0.2.9", False)],
)
def test_bridge_refuses_clients_outside_its_network(client: str, enters: bool, host: str) -> None:
    scope = {
        "type": "http",
        "server": ("172.17.0.1", 4566),
        "client": (client, 40000),
        "headers": [(b"host", host.encode())],
    }
    assert (callers.admitted(scope, IPv4Interface("172.17.0.1/16")) is not None) is enters


def test_server_without_bridge_listens_on_loopback_only(tmp_path: Path) -> None:
    running = server.start(tmp_path / "aws", port=None)
    try:
        with pytest.raises(OSError, match="refused"):
            asked("127.0.0.2", running, Host="host.docker.internal")
        assert asked("127.0.0.1", running, Host="host.docker.internal") == 403
    finally:
        server.stop(tmp_path / "aws")


def test_bridge_at_a_foreign_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerDied, match=r"192\.0\.2\.77 is no address of this machine"):
        server.start(tmp_path / "aws", port=None, bridge="192.0.2.77/24")
    with pytest.raises(NoBridge):
        cloud.listen(0, "192.0.2.77")


def docker(folder: Path, answer: str, code: int = 0) -> None:
    """A `docker` that says this."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\ncat <<'END' >&{'2' if code else '1'}\n{answer}\nEND\nexit {code}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ({"Subnet": "127.0.0.0/8", "Gateway": "127.0.0.1"}, "127.0.0.1/8"),
        ({"Subnet": "127.0.0.0/24"}, "127.0.0.1/24"),
        ({"Subnet": "198.18.0.0/16", "Gateway": "198.18.0.1"}, "127.0.0.1/8"),  # in a machine of Docker's own
    ],
)
def test_bridge_is_read_from_docker(
    network: dict[str, str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, json.dumps([network]))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert containers.bridge() == found


def test_bridge_without_docker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInvocable, match=r"the program `docker` is missing: install Docker"):
        containers.bridge()


def test_bridge_with_stopped_docker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, "Cannot connect to the Docker daemon", code=1)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotInvocable, match=r"Docker does not run: start it\. It said: Cannot connect"):
        containers.bridge()


def test_invoke_without_a_bridge_names_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, json.dumps([{"Subnet": "127.0.0.0/8", "Gateway": "127.0.0.2"}]))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(containers, "_is_here", lambda _: True)
    project = load(ROOT / "handsoff.yaml")
    running = server.start(tmp_path / "aws", port=None)
    try:
        with pytest.raises(NotInvocable, match="`handsoff local up --detach --for-containers`"):
            containers.prepare(project, running)
    finally:
        server.stop(tmp_path / "aws")


def test_invoke_without_a_server_names_the_command(tmp_path: Path) -> None:
    config = tmp_path / "handsoff.yaml"
    config.write_text((ROOT / "handsoff.yaml").read_text())
    answer = CliRunner().invoke(
        cli.app, ["--config", str(config), "local", "invoke", "Reconcile", "events/each_minute.json"]
    )
    assert "is not running: `handsoff local up --detach --for-containers`" in str(answer.exception)
