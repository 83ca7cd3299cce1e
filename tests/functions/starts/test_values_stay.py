"""A value of a row, or a line that may be one, goes to approvers and the report only if values are shown."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from retraining.starts.quarantine import place
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import MODEL, OneModel

SECRET = "Mr. Kelly 4711"
KEY = f"curated/{MODEL}/train/bad.csv"

FILES = {
    "no header": f"{SECRET},male,1\n{SECRET},male,0\n",
    "no number": HEADER.decode() + f"1,1,male,{SECRET},0,0,1,S\n",
    "no class": HEADER.decode() + f"1,{SECRET},male,3,0,0,1,S\n",
    "shifted": HEADER.decode() + f"1,1,male,3,0,0,1,S,{SECRET}\n",
    "another header": f"{SECRET}," + HEADER.decode().replace("survived", "alive") + "\n",
    "two names": f"{SECRET},{SECRET}," + HEADER.decode() + ",," + ROWS.decode(),
    "quotes": HEADER.decode() + f'1,1,"{SECRET}"x,3,0,0,1,S\n',
    "not UTF-8": HEADER.decode() + f"1,1,{SECRET} \xe9,3,0,0,1,S\n",
}


def world_of(*, show: bool) -> OneModel:
    """The model, whose approvers are shown values or not."""
    world = OneModel()
    approvers = world.config.approvers.model_copy(update={"show_values": show})
    world.config = world.config.model_copy(update={"approvers": approvers})
    world.land("train/good.csv", HEADER + ROWS)
    world.land("validation.csv", HEADER + ROWS)
    return world


@pytest.mark.parametrize("show", [False, True], ids=["hidden", "shown"])
@pytest.mark.parametrize("kind", FILES)
def test_value_goes_to_report_and_approvers_only_if_values_are_shown(
    kind: str, show: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    world = world_of(show=show)
    world.land("train/bad.csv", FILES[kind].encode("latin-1"))
    world.mark()
    (_, body, _), *_ = world.s3.versions[place(MODEL, KEY) + ".report.json"]
    assert body is not None
    report = json.loads(body)
    assert (SECRET in report["found"]) if show else (report["found"] is None)
    assert SECRET not in json.dumps({**report, "found": None})
    assert (SECRET in str(world.sns.sent)) is show
    written = capsys.readouterr()
    assert len(world.sns.sent) == 1
    if show:
        return
    elsewhere: list[Any] = [
        world.sns.sent,
        world.items.facts,
        [vars(record) for record in caplog.records],
        written.out,
        written.err,
    ]
    for place_of_words in elsewhere:
        assert SECRET not in str(place_of_words)
        assert "Kelly" not in str(place_of_words)


def test_report_of_a_file_that_can_no_longer_be_read_has_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(show=True)
    world.land("train/bad.csv", FILES["no number"].encode())
    read: list[str] = []
    original = world.s3.get_object

    def once(**given: Any) -> Any:
        if given["Key"] == KEY:
            read.append(KEY)
            if len(read) > 1:
                raise refused("AccessDenied", "GetObject")
        return original(**given)

    monkeypatch.setattr(world.s3, "get_object", once)
    world.mark()
    (_, body, _), *_ = world.s3.versions[place(MODEL, KEY) + ".report.json"]
    assert body is not None
    report = json.loads(body)
    assert (report["problem"], report["row"], report["column"]) == ("not_a_number", 1, "age")
    assert report["found"] is None
