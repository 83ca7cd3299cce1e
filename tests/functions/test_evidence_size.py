"""The evidence of the largest batch fits into the memory of a function."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from retraining.collaborators import Collaborators
from retraining.evidence.objects import data_of
from tests.functions.world import World


@pytest.mark.slow
def test_data_of_the_largest_batch_keeps_its_first_files_and_their_number(world: World) -> None:
    files = [
        {
            "key": f"curated/titanic/part-{n:06}.csv",
            "versionId": f"v{n}",
            "bytes": 9,
            "rows": 1,
            "sha256": "ab" * 32,
        }
        for n in range(200_000)
    ]
    body = json.dumps({"batch": "b", "files": files}).encode()
    del files
    world.s3.put_object(Bucket="data", Key="models/titanic/e0/data_report.json", Body=body)
    sources = world.using(Collaborators).sources
    tracemalloc.start()
    found = data_of(sources, "titanic", "e0", "b", [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found["fileCount"], len(found["files"]), found["batch"]) == (200_000, 500, "b")
    assert [found["files"][n]["key"][-10:] for n in (0, 499)] == ["000000.csv", "000499.csv"]
    assert peak < 3 * len(body)
