"""docs/tutorials/01-your-own-model: its commands, run in an empty folder, within a quarter of an hour."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from tests import warm
from tests.docs.shell import ROOT, blocks, clean_environment, run
from tests.docs.test_tutorial import ports
from tests.loop.builds import provide

TUTORIAL = ROOT / "docs" / "tutorials" / "01-your-own-model.md"
START = "handsoff local up --detach"
QUARTER_OF_AN_HOUR = 15 * 60.0
"""Seconds that the page promises."""


@pytest.fixture
def folder(tmp_path: Path, ready_build: Path) -> Iterator[Path]:
    """An empty folder, with functions and layer built where the second start finds them."""
    found = tmp_path / "empty"
    (found / "shop").mkdir(parents=True)
    provide(ready_build, found / "shop" / ".handsoff")
    yield found
    server.stop(found / "shop" / ".handsoff" / "local")


@pytest.mark.story
def test_the_commands_lead_to_an_approved_model_of_ones_own(folder: Path, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home", ROOT / ".venv-sam" / "bin" / "sam")
    environment |= {"NO_COLOR": "1", "COLUMNS": "160", "XDG_CACHE_HOME": str(Path.home() / ".cache")}
    script = "\n".join(blocks(TUTORIAL))
    assert script.count(START) == 1
    port = ports()[0]
    began = time.monotonic()
    with warm.program("handsoff", environment) as handsoff:
        environment["PATH"] = f"{handsoff.parent}:{environment['PATH']}"
        done = run(script.replace(START, f"{START} --port {port}"), environment, folder, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert time.monotonic() - began < QUARTER_OF_AN_HOUR

    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert "handsoff-visits/1" in said
    assert said.count("verdict   ") == 2
    assert "publishing retrains nothing" in said
    predictions = list(csv.DictReader((folder / "shop" / "predictions.csv").read_text().splitlines()))
    assert len(predictions) == 3000
    assert set(predictions[0]) == {"label", "probability"}
