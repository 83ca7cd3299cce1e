"""What start_retraining and DataPreProcessing make of files on the endpoint of this machine, as on S3."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

import batch as steps
from job import DataProblem, parse_config
from local.server import Cloud
from pipeline_def.publish import step_config
from preprocess import preprocess
from retraining.starts.bucket import inspect_files, list_batch
from retraining.starts.checksums import of_batch
from retraining.starts.inspection import Fine, Problem, head_bytes
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import MODEL, OneModel

pytestmark = pytest.mark.story

BUCKET: Final = "data"
MB: Final = 1 << 20


@pytest.fixture(scope="module")
def s3(cloud: Cloud) -> Any:
    """A client of S3, with a versioned bucket."""
    client = cloud.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def world(s3: Any) -> OneModel:
    """One model whose files lie on the endpoint; pipeline and ledger are in memory."""
    for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    found = OneModel()
    found.s3 = s3
    return found


def land(s3: Any, name: str, body: bytes, **more: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"curated/{MODEL}/{name}", Body=body, **more)


# ---- faults deep in files --------------------------------------------------------------------------------

ROW: Final = b"1,1,female,29,0,0,211.3,S\n"
MANY: Final = HEADER + ROWS + ROW * 20_000
"""20,002 rows in 520,000 bytes: twice what the inspection reads."""


def looked_at(world: OneModel, body: bytes, folder: Path) -> tuple[Problem | Fine, str]:
    """What the inspection finds in the training file, and why DataPreProcessing ends."""
    land(world.s3, "train.csv", body)
    land(world.s3, "validation.csv", HEADER + ROWS)
    using = world.using()
    objects = list_batch(using.s3, BUCKET, MODEL).objects
    found = inspect_files(using.s3, BUCKET, objects, world.config, head_bytes(len(objects)))[0]
    config = parse_config(step_config(world.config.model_dump(mode="json", exclude_none=True), MODEL))
    with pytest.raises(DataProblem) as problem:
        preprocess(using.s3, BUCKET, config, "latest", folder)
    return found, str(problem.value)


@pytest.mark.parametrize(
    ("deep", "reason"),
    [
        (b"1,1,female,old,0,0,211.3,S\n", "curated/titanic/train.csv, row 20003: column age "),
        (b"1,1,female,29,0,0,211.3,S,9\n", "curated/titanic/train.csv, row 20003"),
        (b"1,1,femal\xe9,29,0,0,211.3,S\n", "curated/titanic/train.csv"),
    ],
    ids=["a word for a number", "a value too many", "another encoding"],
)
def test_fault_behind_the_inspected_bytes_is_found_by_the_job(
    world: OneModel, tmp_path: Path, deep: bytes, reason: str
) -> None:
    found, why = looked_at(world, MANY + deep, tmp_path)
    assert isinstance(found, Fine)
    assert reason in why


def test_fault_in_the_inspected_bytes_is_found_by_the_inspection(world: OneModel, tmp_path: Path) -> None:
    found, _ = looked_at(world, HEADER + b"1,1,female,old,0,0,211.3,S\n" + ROW * 20_000, tmp_path)
    assert isinstance(found, Problem)
    assert (found.row, found.column) == (1, "age")


# ---- the same bytes --------------------------------------------------------------------------------------

LARGE: Final = {"A": HEADER + ROWS + ROW * 480_000, "B": HEADER + ROWS * 2 + ROW * 480_000}
"""Two files of 12 MB."""

TOOLS: Final = ("one PUT", "parts of 5 MB", "parts of 8 MB", "under SSE-KMS")


def deliver(world: OneModel, cloud: Cloud, body: bytes, tool: str, client: Any) -> None:
    """Land the training file by this tool, the validation file by one PUT, and the marker."""
    key = f"curated/{MODEL}/train.csv"
    if tool.startswith("parts of"):
        size = int(tool.split()[2]) * MB
        parts = TransferConfig(multipart_threshold=size, multipart_chunksize=size)
        client.upload_fileobj(io.BytesIO(body), BUCKET, key, Config=parts)
    elif tool == "under SSE-KMS":
        identity = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
        land(client, "train.csv", body, ServerSideEncryption="aws:kms", SSEKMSKeyId=identity)
    else:
        land(client, "train.csv", body)
    land(client, "validation.csv", HEADER + ROWS)
    land(client, "_SUCCESS", b"")
    world.come("landing")
    world.end_all(noticed=True)


@pytest.mark.parametrize("calculation", ["when_supported", "when_required"], ids=["CRC32", "CRC64NVME"])
def test_same_bytes_by_any_tool_are_one_execution(
    world: OneModel, cloud: Cloud, calculation: Literal["when_supported", "when_required"]
) -> None:
    """boto3 sends CRC32s, of an upload's parts too; where a tool sends no checksum, S3 makes a CRC64NVME."""
    config = Config(request_checksum_calculation=calculation, s3={"addressing_style": "path"}, proxies={})
    client = cloud.session().client("s3", endpoint_url=cloud.endpoint, config=config)
    for tool in TOOLS:
        deliver(world, cloud, LARGE["A"], tool, client)
    assert len(world.started()) == 1
    assert "the same bytes were started before, as e0" in str(world.using().states.load(MODEL)[0].reason)
    deliver(world, cloud, LARGE["B"], "parts of 5 MB", client)
    assert len(world.started()) == 2
    deliver(world, cloud, LARGE["A"], "parts of 8 MB", client)
    assert len(world.started()) == 2
    versions = world.s3.list_object_versions(Bucket=BUCKET, Prefix=f"curated/{MODEL}/train.csv")["Versions"]
    assert len({version["ETag"] for version in versions}) == 5


def test_batch_latest_of_the_job_has_the_name_that_a_landing_gave(world: OneModel, cloud: Cloud) -> None:
    deliver(world, cloud, LARGE["A"], "parts of 5 MB", world.s3)
    (started,) = world.started()
    using = world.using()
    assert steps.latest_batch(using.s3, BUCKET, MODEL) == started["Batch"]
    listed = list_batch(using.s3, BUCKET, MODEL, "_SUCCESS")
    assert of_batch(listed, (), using).identity == started["Batch"] != listed.listing
    deliver(world, cloud, LARGE["A"], "parts of 8 MB", world.s3)
    assert steps.latest_batch(using.s3, BUCKET, MODEL) == started["Batch"]
