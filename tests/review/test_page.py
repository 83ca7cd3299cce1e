"""review_page/show.py: what the page shows, and that each part survives the failure of the others."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from tests.functions.fakes import ROOT, arn_of
from tests.review.stage import CANDIDATE, PICTURES, SAMPLE, Stage, request, text_of, undecided


def test_page_shows_all_sections(stage: Stage) -> None:
    answer = stage.get()
    assert answer["statusCode"] == 200
    text = text_of(answer)
    for part in (
        "titanic, version 7",
        "Waits for a decision",
        "compared with version 1",
        "The rules leave this candidate to a person recall where sex = female: 0.9118 "
        "(95 % interval 0.8206 to 0.9589), needs ≥ 0.93 → fail",
        "accuracy min 0.78 ✓ Met accuracy: 0.8053 (95 % interval 0.7531 to 0.8487; guessing 0.6183), needs",
        "accuracy 0.8053 0.7531 to 0.8487 0.8135 0.8254 −0.0119 −0.0352 to +0.0114 no clear difference",
        "sex = female 93 rows recall 0.9118",
        "1,047 training rows, 262 validation rows",
        "Columns that landed and are not used: name, ticket.",
        "age 20.2 % 19.5 % −0.0133 little",
        "Started by New data landed",
        "Batch 5946",
        "DataPreProcessing ✓ Succeeded",
        "2 ✕ Rejected the rules",
        "4 ✕ Rejected handsoff, as a newer candidate was approved",
        "5 ✕ Rejected U0123ABCD (grace), in Slack",
        "6 ✓ Approved Ada Lovelace, through a review link (the name as typed)",
        "better on every slice that matters to us",
        "Record the decision",
    ):
        assert part in text, part


def test_page_shows_the_pictures_before_the_form(stage: Stage) -> None:
    page = html.unescape(stage.get()["body"])
    pictures = json.loads((ROOT / "tests/samples/pictures.json").read_text())["pictures"]
    assert page.count("<img ") == len(pictures)
    assert page.index(pictures[-1]["title"]) < page.index("<form")
    assert "Candidate and champion" in text_of(stage.get())


def test_page_without_pictures_says_so(stage: Stage) -> None:
    stage.s3.delete_object(Key=PICTURES)
    text = text_of(stage.get())
    assert f"There are no pictures. s3://data/{PICTURES} does not exist" in text
    assert "Record the decision" in text


def test_page_with_the_largest_pictures_fits_into_an_answer_of_lambda(stage: Stage) -> None:
    picture = {"id": "roc", "title": "roc", "alt": "'" * 190_000, "svg": "<" * 190_000}
    stage.s3.put_object(Key=PICTURES, Body=json.dumps({"pictures": [picture]}).encode())
    answer = stage.get()
    assert answer["body"].count("<img ") == 1
    assert len(json.dumps(answer)) < 6 * 1024 * 1024


def test_get_and_head_never_decide(stage: Stage) -> None:
    page = stage.get()
    assert stage.get(headers={"purpose": "prefetch"})["statusCode"] == 200
    head = stage.answer(request("HEAD", "/review", query=urlencode({"t": stage.token})))
    assert (head["statusCode"], head["body"]) == (200, "")
    assert head["headers"] == page["headers"]
    query = urlencode({**stage.form(), "decision": "Approved", "name": "a scanner", "reason": "it followed"})
    assert stage.answer(request("GET", "/review", query=query))["statusCode"] == 200
    assert undecided(stage)


def test_every_response_has_the_security_headers(stage: Stage) -> None:
    for answer in (stage.get(), stage.get("x"), stage.post({"name": ""}), stage.answer(request("GET", "/"))):
        headers = answer["headers"]
        style = answer["body"].partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"] == "max-age=63072000"
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert "cookies" not in answer
        assert "set-cookie" not in headers
        assert "<script" not in answer["body"]
        assert " style=" not in answer["body"]


HOSTILE = "<script>alert(1)</script>\"'&{{7*7}} \u202egnp.exe\x1b[31m\x00"


def test_page_escapes_hostile_data() -> None:
    hostile = json.loads(SAMPLE)
    ours = hostile["handsoff"]
    for where in (ours["slices"][0], ours["comparison"]["slices"][0]):
        where["where"] = {HOSTILE: HOSTILE}
    ours["champion_problem"] = HOSTILE
    ours["data"]["train"]["missing_share"][HOSTILE] = 0.5
    stage = Stage(json.dumps(hostile))
    stage.decided(arn_of(6), HOSTILE, "link", HOSTILE, HOSTILE)
    stage.decided(arn_of(5), "Rejected", HOSTILE, HOSTILE, HOSTILE)
    stage.sagemaker.steps[0] |= {"StepName": HOSTILE, "FailureReason": HOSTILE, "StepStatus": HOSTILE}
    stage.sagemaker.execution["FailureReason"] = HOSTILE
    stage.items.mark(
        f"execution#{stage.sagemaker.packages[CANDIDATE]['CustomerMetadataProperties']['execution']}",
        {"requestedBy": HOSTILE},
    )
    body = stage.get()["body"]
    again = stage.post({"name": HOSTILE, "reason": HOSTILE, "decision": HOSTILE})["body"]
    for page in (body, again):
        assert page.count("&lt;script&gt;") >= 5
        assert "<script" not in page
        assert "49" not in page.partition("{{7*7}}")[0][-20:]
        for sign in ("\u202e", "\x1b", "\x00"):
            assert sign not in page


# ---- what is broken or missing ---------------------------------------------------------------------------

FOLDER = "models/titanic/v7w8x9y0z1a2"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the whole: expected JSON: EOF while parsing"),
        (b"[1, 2]", "The metrics are not known."),
        (b'{"handsoff": {}}', "The metrics are not known."),
        (b"\xff\xfe", "The metrics are not known."),
        (b'{"handsoff": null}', "The metrics are not known."),
    ],
)
def test_page_with_a_broken_evaluation_shows_the_rest(stage: Stage, body: bytes, says: str) -> None:
    stage.s3.put_object(Key=f"{FOLDER}/evaluation.json", Body=body)
    answer = stage.get()
    assert answer["statusCode"] == 200
    for part in (
        says,
        "Started by New data landed",
        "accuracy min 0.78",
        "Record the decision",
        "ModelEvaluation",
    ):
        assert part in text_of(answer)


def test_page_without_evaluation_and_verdict_says_so() -> None:
    answer = Stage(None).get()
    assert answer["statusCode"] == 200
    text = text_of(answer)
    assert "The verdict is not known. The rules have not judged it yet" in text
    assert (
        "The metrics are not known. s3://data/models/titanic/v7w8x9y0z1a2/evaluation.json does not exist"
        in text
    )
    assert "Record the decision" in text


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"nonsense", b'{"splits": 1, "batch": [], "ignored_columns": 3}']
)
def test_page_with_a_broken_data_report_shows_the_rest(stage: Stage, body: bytes) -> None:
    stage.s3.put_object(Key=f"{FOLDER}/data_report.json", Body=body)
    answer = stage.get()
    assert answer["statusCode"] == 200
    for part in ("Started by New data landed", "DataPreProcessing", "Record the decision"):
        assert part in text_of(answer)


@pytest.mark.parametrize("metadata", [{}, {"execution": "nonsense"}, {"execution": "arn:<b>"}])
def test_page_of_a_package_without_origin_shows_the_rest(stage: Stage, metadata: dict[str, str]) -> None:
    stage.sagemaker.packages[CANDIDATE]["CustomerMetadataProperties"] = metadata
    stage.sagemaker.packages[CANDIDATE].pop("ModelMetrics")
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "names no model quality statistics" in text_of(answer)
    assert "Record the decision" in text_of(answer)


@pytest.mark.parametrize(
    "verdict", [{}, {"decision": "MAYBE"}, [], None, "x", {"decision": "HOLD", "reasons": 3}]
)
def test_page_with_a_broken_verdict_shows_the_rest(stage: Stage, verdict: Any) -> None:
    stage.items.mark(f"verdict#{CANDIDATE}", {"verdict": verdict})
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "The verdict is not known." in text_of(answer)


@pytest.mark.parametrize("operation", ["list_model_packages", "describe_pipeline_execution", "get_paginator"])
def test_page_after_a_failed_call_shows_the_rest(
    stage: Stage, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, operation)

    monkeypatch.setattr(stage.sagemaker, operation, refuse)
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "It could not be read; the function's log says why." in text_of(answer)
    assert "Record the decision" in text_of(answer)


def test_page_draws_the_interval_of_a_comparison_with_a_text_alternative() -> None:
    body = Stage().get()["body"]
    (svg,) = re.findall(r"<svg class=\"interval good\".*?</svg>", body, re.DOTALL)
    assert (
        'role="img" aria-label="The interval from −0.0121 to +0.0152 lies within what the rule allows, '
        in svg
    )
    assert "at least −0.0300." in svg
    assert " style=" not in svg
    assert "A drawing shows the interval beside the limit; what the rule allows is shaded" in body


def test_page_shows_slices_that_no_rule_names_with_their_p_values() -> None:
    found = json.loads(SAMPLE)
    slices: list[dict[str, Any]] = [
        {"column": "age", "value": None, "range": [30, 45.5], "n": 63, "p_holm": 0.0123, "margin": 0.0064},
        {"column": HOSTILE, "value": HOSTILE, "range": None, "n": 1093, "p_holm": 0.05},
        {"column": "fare", "value": None, "range": None, "n": 33, "p_holm": 1},
    ]
    more: dict[str, Any] = {
        "clusters": 33,
        "loss": "brier",
        "difference": 0.0412,
        "standard_error": 0.01,
        "p": 0.001,
    }
    found["handsoff"]["comparison"] |= {"found_slices": [item | more for item in slices], "slices_tested": 14}
    answer = Stage(json.dumps(found)).get()
    text = text_of(answer)
    assert "14 slices. Where the mean brier of the candidate is higher, it is worse." in text
    assert "age is from 30 to 45.5 63 rows +0.0412 +0.0064 0.0123 ✕ worse" in text
    assert "1,093 rows +0.0412 0 0.0500 not shown to be worse" in text
    assert "fare is missing 33 rows +0.0412 0 1 not shown to be worse" in text
    assert "<script>" not in answer["body"]
    assert "Rows that no rule names" not in text_of(Stage(json.dumps(without_slices())).get())


def without_slices() -> dict[str, Any]:
    """The sample as an earlier version would have written it."""
    found: dict[str, Any] = json.loads(SAMPLE)
    for name in ("found_slices", "slices_tested"):
        found["handsoff"]["comparison"].pop(name, None)
    return found
