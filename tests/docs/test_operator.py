"""docs/how-to/operator.md: its commands make, label and rotate keys. No key is in this repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from local.infrastructure import policy
from tests import warm
from tests.docs.shell import ROOT, blocks, clean_environment, run

PAGE = ROOT / "docs" / "how-to" / "operator.md"
USER = "data-science-user"
DOCUMENTED = "AKIAIOSFODNN7EXAMPLE"
"""The access key id of AWS's documentation, which is no real key."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[server.Cloud]:
    yield server.start(tmp_path / "aws", port=None, enforce_iam=True)
    server.stop(tmp_path / "aws")


@pytest.mark.slow
def test_the_rotation_leaves_one_new_key_with_the_primary_label(cloud: server.Cloud, tmp_path: Path) -> None:
    first, *listing_and_rotation = blocks(PAGE)
    environment = clean_environment(tmp_path / "home", ROOT / ".venv-sam" / "bin" / "aws")
    environment["AWS_ENDPOINT_URL"] = cloud.endpoint
    credentials = tmp_path / "home" / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.touch(mode=0o600)
    key_id, secret = cloud.administrator
    credentials.write_text(
        f"[admin]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\nregion = us-east-1\n"
    )
    iam = cloud.client("iam")
    iam.create_user(UserName=USER)
    own_keys = policy("operator-keys", {"partition": "aws", "account": cloud.account})
    iam.put_user_policy(UserName=USER, PolicyName="keys", PolicyDocument=own_keys)

    made = run(first, environment, tmp_path)
    assert f"arn:aws:iam::123456789012:user/{USER}" in made.stdout, made.stderr
    old = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"][0]["AccessKeyId"]

    with warm.program("aws") as aws:
        forked = {**environment, "PATH": f"{aws.parent}:{environment['PATH']}"}
        rotated = run("\n".join(listing_and_rotation), forked, tmp_path)
    assert rotated.returncode == 0, rotated.stderr
    lines = rotated.stdout.splitlines()
    assert lines[0].split() == [old, "data-science-user-primary"]
    assert f"{old}\tInactive" in lines
    [key] = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    assert (key["AccessKeyId"] != old, key["Status"]) == (True, "Active")
    assert iam.list_user_tags(UserName=USER)["Tags"] == [
        {"Key": key["AccessKeyId"], "Value": "data-science-user-primary"}
    ]
    assert key["AccessKeyId"] in credentials.read_text()
    assert old not in credentials.read_text()
    assert not re.search(r"[0-9a-zA-Z/+]{40}", made.stdout + rotated.stdout)  # no secret was shown


@pytest.mark.slow
def test_no_access_key_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {
        (name, key)
        for name in filter(None, listed.split("\0"))
        if (ROOT / name).is_file()
        for key in re.findall(r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b", (ROOT / name).read_text(errors="ignore"))
        if key != DOCUMENTED
    }
    assert found == set()
