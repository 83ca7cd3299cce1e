"""What a report says, by what became of the execution, and that no text can become markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from itertools import pairwise
from typing import Any

import pytest

from tests.report.cases import (
    CASES,
    approved,
    failed,
    held,
    page_of,
    put,
    rejected,
    rolled_back,
    sample,
    text_of,
    told,
    without_pictures,
)
from tests.review.stage import CANDIDATE, PICTURES, Stage


@pytest.mark.parametrize("case", CASES)
def test_report_is_one_file_that_loads_and_runs_nothing(case: str) -> None:
    page = page_of(CASES[case]())
    assert len(page.encode()) < 300_000
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert re.findall(r'<meta http-equiv="content-security-policy" content="([^"]*)">', page) == [
        f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;; img-src data:; "
        "form-action &#39;none&#39;; base-uri &#39;none&#39;"
    ]
    assert set(re.findall(r'\b(?:src|href)="(\w+:[\w/+]*)', page)) <= {"data:image/svg+xml"}
    for word in ("<script", "<link", "<iframe", " style=", " onload=", "url("):
        assert word not in page


@pytest.mark.parametrize("case", CASES)
def test_report_has_headings_in_order_and_unique_ids(case: str) -> None:
    page = page_of(CASES[case]())
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r'aria-labelledby="([^"]+)"', page)} <= {*ids}


def test_report_of_a_held_candidate_says_why_and_what_to_do_first() -> None:
    text = text_of(page_of(held()))
    assert text.startswith("handsoff titanic, version 7 ● Waits for a decision execution v7w8x9y0z1a2, began")
    assert (
        "What was decided The candidate waits for a person recall where sex = female: 0.9118 "
        "(95 % interval 0.8206 to 0.9589), needs ≥ 0.93 → fail Rules that are met: 4. What to do: Read the "
        "reasons and the pictures. Then decide, by the link in the notification or by a command: "
        'handsoff approve titanic/7 --reason "…" handsoff reject titanic/7 --reason "…" '
        "Candidate and champion"
    ) in text
    assert (
        "roc auc max loss 0.03, max gain 0.1, confidence 0.95 ✓ Met "
        "roc auc: candidate 0.8736 − champion 0.872"
    ) in text
    assert "The interval from −0.0121 to +0.0152 lies within what the rule allows" in page_of(held())


def test_report_of_a_human_approval_names_person_reason_and_champion() -> None:
    text = text_of(page_of(approved()))
    assert "✓ Approved execution" in text
    assert re.search(
        r"Approved by Ada Lovelace, through a review link \(the name as typed\) on .* UTC "
        r"“0\.91 is enough for the ferry line\.”",
        text,
    )
    assert "What to do: Nothing. It has been the champion since" in text


def test_report_of_an_approval_by_the_rules_counts_them() -> None:
    rules = [
        {"rule": f"accuracy min 0.{n}", "kind": "metric", "outcome": outcome, "effect": "none", "text": "0.8"}
        for n, outcome in ((6, "pass"), (7, "pass"), (8, "skipped"))
    ]
    verdict = {"decision": "APPROVE", "reasons": ["0.8"], "reasonCodes": ["rule_passed"], "rules": rules}
    text = text_of(told(approved(), verdict=verdict))
    assert "Rules that are met: 2; that were not asked: 1. What to do:" in text


def test_lineage_names_the_person_who_asked_for_the_execution() -> None:
    for kind, says in (
        ("request", "started as a person asked for it, asked for by arn:ada"),
        ("landing", "started by new data that landed began"),
    ):
        text = text_of(told(held(), trigger={"kind": kind, "requestedBy": "arn:ada"}))
        assert says in text


def test_report_of_a_rejection_names_the_champion_that_stays() -> None:
    text = text_of(page_of(rejected()))
    assert re.search(
        r"✕ Rejected execution .* Rejected by the rules on .* UTC recall where sex = female", text
    )
    assert "What to do: Nothing. It is not used. Version 6 is the champion now." in text


def test_report_of_a_rollback_names_both_decisions() -> None:
    text = text_of(page_of(rolled_back()))
    assert re.search(
        r"Rejected by arn:aws:iam::1:user/ops, on the command line on .* UTC “wrong prices since noon”", text
    )
    assert re.search(
        r"Decided before Approved on .* UTC by Ada Lovelace, through a review link \(the name as typed\): "
        r"“good”",
        text,
    )


def test_report_of_a_failed_execution_names_step_reason_and_commands() -> None:
    text = text_of(page_of(failed()))
    assert "titanic, execution v7w8x9y0z1a2 ✕ Failed" in text
    assert (
        "The execution failed, so there is no new model TrainModel: AlgorithmError: exit code 1 "
        "a step failed What to do: The champion stays as it is. Read the log of the step, mend the cause, "
        "and start another execution. handsoff logs v7w8x9y0z1a2 handsoff start titanic"
    ) in text
    assert "There are no pictures. s3://data/models/titanic/v7w8x9y0z1a2/pictures.json does not exist" in text
    assert "TrainModel failed after" in text
    assert "Model package None: the execution registered no model" in text


def test_report_of_a_running_execution_says_that_it_is_written_again() -> None:
    stage = failed()
    stage.sagemaker.steps = []
    stage.sagemaker.execution["PipelineExecutionStatus"] = "Executing"
    text = text_of(page_of(stage))
    assert "The execution has not ended yet" in text
    assert "No step has started." in text


def test_report_without_pictures_has_the_table_of_metrics() -> None:
    text = text_of(page_of(without_pictures()))
    assert "The candidate's metrics on the validation rows Metric Candidate accuracy 0.8053" in text
    assert "There are no pictures. s3://data/models/titanic/v7w8x9y0z1a2/pictures.json does not exist" in text
    assert "What the rules say" in text


def test_report_shows_each_picture_with_title_alternative_and_table() -> None:
    page = html.unescape(page_of(held()))
    for picture in sample()["pictures"]:
        assert f'class="title">{picture["title"]}</h3>' in page
        assert f'alt="{picture["alt"]}"' in page
        assert all(f'scope="col">{name}</th>' in page for name in picture["table"]["columns"])
    assert page.count("<img ") == page.count("<details>") == len(sample()["pictures"]) + 2
    assert page.count(' alt="') == page.count("<img ")


def test_report_says_why_a_picture_is_missing() -> None:
    stage = held()
    why = "the model returns labels, not scores"
    put(
        stage,
        PICTURES,
        {"pictures": [], "missing": [{"id": "roc", "why": why}, {"id": "drift:age", "why": "none"}]},
    )
    text = text_of(page_of(stage))
    assert f"Where it is right and wrong No picture of the ROC curve: {why}" in text
    assert "No picture of drift of age: none" in text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "pictures.json: the whole: Invalid JSON"),
        (b"[]", "pictures.json: the whole: Input should be an object"),
        (b'{"pictures": [{"id": "roc"}]}', "pictures.json: pictures.0.title: Field required"),
        (b" " * 400_001, "pictures.json has more than 400,000 bytes, so it is not shown."),
    ],
)
def test_report_with_broken_pictures_shows_the_rest(body: bytes, says: str) -> None:
    stage = held()
    put(stage, PICTURES, body)
    text = text_of(page_of(stage))
    assert says in text
    assert "The candidate waits for a person" in text


def test_report_leaves_pictures_out_that_would_make_it_too_large() -> None:
    stage = held()
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 100"><text>'
        + "x" * 60_000
        + "</text></svg>"
    )
    names = ("metrics", "roc", "slices", "drift:age", "drift:fare")
    pictures = [{"id": name, "title": name, "alt": name, "svg": svg} for name in names]
    put(stage, PICTURES, {"schemaVersion": 1, "pictures": pictures})
    page = page_of(stage)
    assert len(page.encode()) <= 300_000
    assert page.count("<img ") == 3 + 2
    assert (
        "No picture of drift of fare: the report would have more than 300,000 bytes; pictures.json has it"
        in page
    )


# ---- lineage, facts, history -----------------------------------------------------------------------------


def test_lineage_leads_from_files_to_the_decision() -> None:
    data = {
        "batch": "5946",
        "manifest": "s3://data/batches/titanic/5946/manifest.json",
        "files": [
            {
                "key": "curated/titanic/train.csv",
                "versionId": "v1",
                "etag": "e",
                "size": 9,
                "checksum": "c1",
                "rows": 1047,
            }
        ],
        "splits": {"train": {"rows": 1047}, "validation": {"rows": 262}},
    }
    hashes = {"code": {"sha256": "c0de"}, "config": {"sha256": "c0f"}}
    evaluation = {"uri": "s3://data/e.json", "sha256": "e7a1"}
    artifact = {"uri": "s3://data/m.tar.gz", "versionId": "v3", "sha256": "ab" * 32, "bytes": 5}
    text = text_of(told(approved(), data=data, artifact=artifact, evaluation=evaluation, **hashes))
    order = [
        "From the files to the decision Files 1 file 1,047 rows of train 262 rows of validation",
        "Batch 5946 s3://data/batches/titanic/5946/manifest.json",
        "Execution arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/v7w8x9y0z1a2",
        "started by new data that landed",
        "code c0de configuration c0f",
        f"Model artifact s3://data/m.tar.gz SHA-256 {'ab' * 32}",
        "Evaluation s3://data/e.json SHA-256 e7a1",
        f"Model package {CANDIDATE}",
        "Decision Approved by Ada Lovelace, through a review link (the name as typed)",
        "curated/titanic/train.csv v1 c1 1,047",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_report_lists_the_facts_of_the_evidence_in_order() -> None:
    facts = [
        {"at": "2026-11-23T06:00:00+00:00", "kind": "landed", "by": "landing", "who": None, "subject": "v1"},
        {"at": "2026-11-23T06:05:00+00:00", "kind": "stepEnded", "subject": "TrainModel", "status": "Failed"},
        {"at": "2026-11-23T07:00:00+00:00", "kind": "decided", "by": "link", "who": "Ada", "why": "good"},
        {"at": "2026-11-23T08:00:00+00:00", "kind": "invented later"},
    ]
    text = text_of(told(held(), facts=facts))
    assert (
        "23 Nov 2026, 06:00 UTC Data landed landing v1 — 23 Nov 2026, 06:05 UTC A step ended: Failed — "
        "TrainModel — 23 Nov 2026, 07:00 UTC It was decided link (Ada) — good 23 Nov 2026, "
        "08:00 UTC invented later — — —"
    ) in text


def test_report_of_evidence_of_version_1_is_made() -> None:
    old = {
        "pipelineExecutionArn": "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/old",
        "pipelineExecutionStatus": "Succeeded",
        "trigger": {"kind": "landing"},
        "data": {"batch": "b", "splits": {"train": {"rows": 5, "missing_share": {}}}},
        "steps": [],
        "modelPackageArn": CANDIDATE,
        "modelApprovalStatus": "Rejected",
        "metrics": {"accuracy": 0.7},
        "verdict": {
            "decision": "REJECT",
            "reasons": ["accuracy 0.7, needs ≥ 0.78 → fail"],
            "rules": [
                {"rule": "accuracy min 0.78", "outcome": "fail", "effect": "reject", "text": "0.7 → fail"}
            ],
            "champion": None,
        },
        "decidedBy": "rules",
    }
    stage = held()
    text = text_of(told(stage, **{**dict.fromkeys(json.loads(evidence_text(stage)), None), **old}))
    assert "Rejected by the rules" in text
    assert "accuracy min 0.78 ✕ Not met so it is rejected 0.7" in text


def evidence_text(stage: Stage) -> str:
    """The evidence that `told` has written."""
    told(stage)
    body: bytes = stage.s3.get_object(Key="evidence/titanic/v7w8x9y0z1a2/evidence.json")["Body"].read()
    return body.decode()


# ---- hostile texts ---------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}} \u202egnp.exe\x1b[31m\x00"


def hostile(value: Any) -> Any:
    """The value with every text replaced, but for those that are compared with literal words."""
    kept = (
        "outcome",
        "effect",
        "kind",
        "question",
        "decision",
        "pipelineExecutionArn",
        "modelApprovalStatus",
    )
    if isinstance(value, dict):
        return {
            key: item if key in kept or key.endswith(("Time", "At", "at")) else hostile(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_report_escapes_hostile_texts_everywhere() -> None:
    stage = rolled_back()
    for step in stage.sagemaker.steps:
        step["StepName"] = step["FailureReason"] = HOSTILE
    pictures = hostile(sample())
    put(stage, PICTURES, {**pictures, "missing": [{"id": HOSTILE, "why": HOSTILE}]})
    evidence = hostile(json.loads(evidence_text(stage)))
    page = told(stage, **{**evidence, "facts": [{"kind": HOSTILE, "why": HOSTILE, "by": HOSTILE}]})
    assert page.count("&lt;script&gt;") >= 20
    assert "<script" not in page
    assert "%3Cscript%3E" in page  # in the address of a picture, where it is a picture that cannot be shown
    for sign in ("\u202e", "\x1b", "\x00"):
        assert sign not in page
