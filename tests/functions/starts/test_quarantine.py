"""Bad files go to quarantine whatever S3 answers, each is copied once, and the model goes on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.starts import BadFile, Released
from retraining.starts import quarantine
from retraining.starts.quarantine import place
from tests.functions.fakes import Died
from tests.functions.memory import MemoryS3, refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, BEGIN, MODEL, OneModel

A, B = "curated/titanic/train/a.csv", "curated/titanic/train/b.csv"


class FailingS3(MemoryS3):
    """S3 that fails: `errors` maps an operation and a key to what is raised, before the call or after it."""

    def __init__(self, world: OneModel) -> None:
        super().__init__(lambda: world.now)
        self.errors: dict[tuple[str, str], BaseException] = {}
        self.done_first = False

    def _do(self, operation: str, key: str, call: Any, **given: Any) -> Any:
        error = self.errors.get((operation, key))
        answer = call(**given) if error is None or self.done_first else None
        if error is not None:
            raise error
        return answer

    def get_object(self, **given: Any) -> Any:
        return self._do("GetObject", given["Key"], super().get_object, **given)

    def put_object(self, **given: Any) -> Any:
        return self._do("PutObject", given["Key"], super().put_object, **given)

    def copy_object(self, **given: Any) -> Any:
        return self._do("CopyObject", given["CopySource"]["Key"], super().copy_object, **given)

    def delete_object(self, **given: Any) -> Any:
        return self._do("DeleteObject", given["Key"], super().delete_object, **given)


def world_of(*bad: str, marker: bool = True) -> tuple[OneModel, FailingS3]:
    """A model with these bad files, a good one for each split, and the marker, whose event has not come."""
    world = OneModel()
    world.s3 = s3 = FailingS3(world)
    for key in bad:
        s3.put_object(Key=key, Body=BAD)
    world.land("train/good.csv", HEADER + ROWS)
    world.land("validation.csv", HEADER + ROWS)
    if marker:
        world.land("_SUCCESS", b"")
    return world, s3


def sweeps(world: OneModel, count: int) -> None:
    for _ in range(count):
        world.now += timedelta(minutes=3)
        world.sweep()


def bodies(s3: MemoryS3, key: str) -> list[bytes | None]:
    """What was put under a key, oldest first; None is a delete marker."""
    return [body for _, body, _ in s3.versions.get(key, [])]


def report(s3: MemoryS3, key: str) -> Any:
    (body,) = bodies(s3, place(MODEL, key) + ".report.json")
    assert body is not None
    return json.loads(body)


def state_of(world: OneModel) -> ModelState:
    return world.using().states.load(MODEL)[0]


def told(world: OneModel) -> list[Any]:
    return [json.loads(json.loads(call["Message"])["default"]) for call in world.sns.sent]


def test_bad_version_that_was_deleted_meanwhile_is_dealt_with() -> None:
    world, s3 = world_of(A, B)
    s3.errors["CopyObject", A] = refused("NoSuchVersion", "CopyObject")
    world.come("landing")
    assert state_of(world).bad_files == ()
    assert place(MODEL, A) not in s3.versions
    assert bodies(s3, place(MODEL, B)) == [BAD]
    world.mark()
    assert state_of(world).answer == "start"  # A is still listed here, and bad: it is hidden again
    assert bodies(s3, A) == [BAD, None]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDenied", "access is denied"),
        ("InvalidObjectState", "it is archived"),
        ("KMS.DisabledException", "its KMS key cannot be used"),
    ],
)
def test_file_that_s3_does_not_copy_is_hidden_and_its_report_says_why(code: str, text: str) -> None:
    world, s3 = world_of(A)
    s3.errors["CopyObject", A] = refused(code, "CopyObject")
    world.come("landing")
    sweeps(world, 8)
    assert state_of(world).bad_files == ()
    assert place(MODEL, A) not in s3.versions
    assert report(s3, A)["notCopied"].startswith(text)
    assert bodies(s3, A) == [BAD, None]
    version = s3.versions[A][0][0]
    assert world.using().ledger.get(keys.quarantined(MODEL, A, version)) is not None
    assert len(world.sns.sent) == 1
    world.mark()
    assert len(world.started()) == 1


@pytest.mark.parametrize("done_first", [False, True])
@pytest.mark.parametrize("operation", ["CopyObject", "PutObject", "DeleteObject"])
def test_file_that_fails_at_each_sweep_is_copied_once_and_stops_nothing(
    operation: str, done_first: bool
) -> None:
    """The first of two files fails with 500 for ever, before the call is done or after it."""
    world, s3 = world_of(A, B)
    target = place(MODEL, A)
    key = target + ".report.json" if operation == "PutObject" else A
    s3.errors[operation, key] = refused("InternalError", operation)
    s3.done_first = done_first
    world.come("landing")
    assert bodies(s3, B) == [BAD, None]
    assert len(state_of(world).bad_files) == 2
    sweeps(world, 8)
    assert state_of(world).bad_files == ()
    assert state_of(world).moves == 0
    assert len(s3.versions.get(target, [])) <= 1
    assert len(s3.versions.get(target + ".report.json", [])) <= 1
    assert bodies(s3, B) == [BAD, None]
    assert bodies(s3, place(MODEL, B)) == [BAD]
    assert len(world.sns.sent) == 1


def test_file_whose_copy_ends_the_invocation_each_time_does_not_stop_the_model() -> None:
    """A copy that takes longer than the function may run."""
    world, s3 = world_of(A)
    s3.errors["CopyObject", A] = Died("CopyObject")
    world.come("landing")
    sweeps(world, 4)
    assert state_of(world).bad_files == ()
    assert report(s3, A)["notCopied"] == "the copy failed 3 times"
    assert bodies(s3, A) == [BAD, None]
    world.mark()
    assert len(world.started()) == 1


def test_file_that_stayed_after_the_last_try_refuses_no_later_landing() -> None:
    """S3 is not well until the tries are over: then good data lands beside the bad file."""
    world, s3 = world_of(A)
    s3.errors["DeleteObject", A] = refused("InternalError", "DeleteObject")
    world.come("landing")
    sweeps(world, 8)
    assert state_of(world).bad_files == ()
    assert bodies(s3, A) == [BAD]
    del s3.errors["DeleteObject", A]
    world.now += timedelta(minutes=3)
    world.mark()
    assert len(world.started()) == 1
    assert bodies(s3, A) == [BAD, None]
    assert len(world.sns.sent) == 1


def test_file_that_the_role_may_not_hide_is_refused_at_each_landing_and_told_once() -> None:
    world, s3 = world_of(A)
    s3.errors["DeleteObject", A] = refused("AccessDenied", "DeleteObject")
    world.come("landing")
    for _ in range(3):
        world.now += timedelta(minutes=3)
        world.mark()
    assert state_of(world).bad_files == ()
    assert state_of(world).reason == f"quarantined: {A}"
    assert world.started() == []
    assert bodies(s3, place(MODEL, A)) == [BAD]
    assert len(world.sns.sent) == 1


def test_file_over_five_gigabytes_is_copied_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    world, s3 = world_of(A)
    monkeypatch.setattr(quarantine, "MAX_COPY_BYTES", len(BAD) - 1)
    copied: list[Any] = []
    monkeypatch.setattr(s3, "copy", lambda *given, Config: copied.append((*given, Config)))
    world.come("landing")
    version = s3.versions[A][0][0]
    ((source, *target, how),) = copied
    assert source == {"Bucket": "data", "Key": A, "VersionId": version}
    assert target == ["data", place(MODEL, A)]
    assert how.multipart_chunksize == (len(BAD) - 1) // 10
    assert bodies(s3, A) == [BAD, None]


def test_longest_key_has_a_place_and_its_report_tells_the_key() -> None:
    key = "curated/titanic/train/" + "欄" * 331 + "/ab.csv"
    assert len(key.encode()) == 1_022
    assert len((place(MODEL, key) + ".report.json").encode()) <= 1_024
    assert place(MODEL, key) != place(MODEL, key.replace("ab.csv", "bb.csv"))
    world, s3 = world_of(key)
    world.come("landing")
    assert report(s3, key)["key"] == key
    assert bodies(s3, place(MODEL, key)) == [BAD]
    assert bodies(s3, key) == [BAD, None]


def test_place_of_an_ordinary_key_follows_its_name() -> None:
    assert place("m", "curated/m/train/a.csv") == "quarantine/m/train/a.csv"


def bad_file(s3: MemoryS3, key: str, index: int = 0) -> BadFile:
    """One version of a file as the state notes it."""
    version, body, _ = s3.versions[key][index]
    assert body is not None
    etag = s3.list_object_versions(Prefix=key)["Versions"][-1 - index]["ETag"].strip('"')
    return BadFile(key=key, version_id=version, etag=etag, size=len(body), kind="one_row", text="x")


def move(world: OneModel, item: BadFile) -> bool:
    return quarantine.move_files(MODEL, [item], world.using(), noted_at=world.now, tries=1)


def test_mover_that_comes_late_hides_no_corrected_file() -> None:
    """Two movers: before the first sets its delete marker, a corrected file lands and the second is done."""
    world, s3 = world_of(A)
    item = bad_file(s3, A)
    original = s3.delete_object

    def late(**given: Any) -> Any:
        s3.delete_object = original  # type: ignore[method-assign]
        world.land("train/a.csv", HEADER + ROWS)
        move(world, item)
        return s3.delete_object(**given)

    s3.delete_object = late  # type: ignore[method-assign]
    move(world, item)
    assert bodies(s3, A) == [BAD, HEADER + ROWS]


def test_delete_marker_of_a_person_stays() -> None:
    """A newer version landed, and a person deleted it: what was deleted must not be trained on."""
    world, s3 = world_of(A)
    world.land("train/a.csv", HEADER + ROWS)
    s3.delete_object(Key=A)
    assert move(world, bad_file(s3, A))
    assert bodies(s3, A) == [BAD, HEADER + ROWS, None]


def test_mover_that_comes_again_leaves_a_released_file() -> None:
    """The released copy has the bad file's bytes, and so its ETag: the delete marker would fall on it."""
    world, s3 = world_of(A)
    item = bad_file(s3, A)
    move(world, item)
    world.using().ledger.take(keys.released(MODEL, item.etag, A), Released(by="ana", at=world.now))
    s3.copy_object(Key=A, CopySource={"Key": place(MODEL, A)})
    assert move(world, item)
    assert bodies(s3, A) == [BAD, None, BAD]


def test_end_of_an_execution_leaves_bad_files_due() -> None:
    """The end is recorded after the files were noted, and before they are moved."""
    item = BadFile(key=A, version_id="v1", etag="e", size=1, kind="one_row", text="x")
    state = ModelState().quarantining([item], "quarantined", "b", None, BEGIN)
    assert state.ended("arn:execution/e0", BEGIN + timedelta(minutes=1)).due_at == BEGIN + timedelta(
        minutes=1
    )


# ---- files that cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("InvalidObjectState", "it is archived: restore it, or land it again"),
        ("AccessDenied", "access is denied: give the functions' roles the file and its KMS key, or land it"),
        ("InvalidRequest", "it is encrypted with a key of the sender (SSE-C): land it again without one"),
        ("KMS.DisabledException", "its KMS key cannot be used: enable it or give"),
        ("KMS.NotFoundException", "its KMS key cannot be used: enable it or give"),
    ],
)
def test_file_that_cannot_be_read_refuses_the_start_in_words_and_is_told_once(code: str, text: str) -> None:
    world, s3 = world_of()
    key = "curated/titanic/train/good.csv"
    s3.errors["GetObject", key] = refused(code, "GetObject")
    world.come("landing")
    sweeps(world, 3)
    world.mark()
    assert state_of(world).answer == "refuse"
    assert f"cannot be read: {key}: {text}" in (state_of(world).reason or "")
    (message,) = told(world)
    assert message["kind"] == "start_blocked"
    assert f"cannot be read: {key}: {text}" in message["reasons"][0]
    assert bodies(s3, key) == [HEADER + ROWS]
    del s3.errors["GetObject", key]
    world.come("request-1")
    assert len(world.started()) == 1


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "KMS.ThrottlingException", "RequestTimeout"])
def test_error_that_may_pass_is_raised_and_the_model_starts_later(code: str) -> None:
    world, s3 = world_of()
    key = "curated/titanic/train/good.csv"
    s3.errors["GetObject", key] = refused(code, "GetObject")
    with pytest.raises(ClientError):
        world.come("landing")
    assert state_of(world).pending
    assert world.sns.sent == []
    del s3.errors["GetObject", key]
    sweeps(world, 1)
    assert len(world.started()) == 1
