"""`handsoff local update`: what runs stays, what handsoff.yaml has gained is added."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml

from handsoff.deploying import sam
from local import server
from tests.loop.builds import provide
from tests.loop.place import BUCKET, Place, copied

pytestmark = pytest.mark.story


def test_local_update_adds_a_new_model_and_keeps_objects(
    tmp_path: Path, ready_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(copied(tmp_path / "project"), dict(os.environ))
    provide(ready_build, place.folder / ".handsoff")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place.handsoff("local", "up", "--detach", "--port", str(port))
    try:
        cloud = server.running(place.folder / ".handsoff" / "local")
        assert cloud is not None
        cloud.client("s3").put_object(Bucket=BUCKET, Key="curated/titanic/note.txt", Body=b"stays")
        config = place.folder / "handsoff.yaml"
        values = yaml.safe_load(config.read_text())
        values["models"]["second"] = values["models"]["titanic"]
        config.write_text(yaml.safe_dump(values))
        with monkeypatch.context() as patch:
            patch.delattr(sam, "deploy")  # the functions are as they were
            place.handsoff("local", "update")
        names = [
            item["PipelineName"] for item in cloud.client("sagemaker").list_pipelines()["PipelineSummaries"]
        ]
        assert sorted(names) == ["handsoff-second", "handsoff-titanic"]
        assert cloud.client("scheduler").get_schedule(Name="handsoff-second")["State"] == "ENABLED"
        kept = cloud.client("s3").get_object(Bucket=BUCKET, Key="curated/titanic/note.txt")
        assert kept["Body"].read() == b"stays"
    finally:
        place.handsoff("local", "down")
