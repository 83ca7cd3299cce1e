"""The commands judge, explain, approve and reject, with AWS in memory."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from handsoff.commands import terminal
from handsoff.deployment import Deployment
from handsoff.errors import AlreadyDecided, NotFound, UsageError
from judge_candidate import handler
from retraining.candidates.anchoring import CannotBeAnchor
from retraining.candidates.decisions import NoReason, decide
from retraining.candidates.judging_again import CannotBeJudged
from retraining.collaborators import Collaborators
from retraining.config.schema import Config
from retraining.errors import ConfigError, EvaluationError, HandsoffError, NotReady
from tests.functions.fakes import CONSOLE, ROOT, Context, about, arn_of, evaluation, in_console, register
from tests.functions.world import World
from tests.handsoff.typed import refused, run, said

WHO = "arn:aws:iam::123456789012:user/data-science-user"
MODEL = """
models:
  titanic:
    task: binary_classification
    target: survived
    features: {numeric: [age, sibsp, parch, fare], categorical: [pclass, sex, embarked]}
    approval:
      rules:
        - {metric: accuracy, min: 0.78}
        - {metric: roc_auc, versus_champion: {max_loss: 0.03}, on_fail: hold}
  prices:
    task: regression
    target: price
    features: {numeric: [rooms]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two models, and no AWS variables in the environment."""
    (tmp_path / "handsoff.yaml").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def save(folder: Path, **what: Any) -> str:
    (folder / "evaluation.json").write_text(json.dumps(evaluation(**what)))
    return "evaluation.json"


# ---- offline ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "decision"),
    [
        ({"accuracy": 0.78}, "APPROVE"),
        ({"accuracy": 0.7799}, "REJECT"),
        ({"champion": "arn:c", "gain": -0.01}, "APPROVE"),
        ({"champion": "arn:c", "gain": -0.05}, "HOLD"),
        ({"champion": "arn:c", "problem": "it cannot be loaded"}, "HOLD"),
    ],
)
def test_judge_evaluation_applies_the_rules_in_the_config(
    project: Path, what: dict[str, Any], decision: str
) -> None:
    found = json.loads(said("judge", "--evaluation", save(project, **what), "--model", "titanic", "--json"))
    assert (found["decision"], found["champion"], found["n"]) == (decision, what.get("champion"), 262)
    assert [rule["rule"] for rule in found["rules"]] == [
        "accuracy min 0.78",
        "roc_auc max_loss 0.03, confidence 0.95",
        "better than guessing",
    ]


def test_judge_evaluation_reads_stdin(project: Path) -> None:
    text = json.dumps(evaluation(accuracy=0.5))
    found = json.loads(said("judge", "--evaluation", "-", "--model", "titanic", "--json", stdin=text))
    assert found["decision"] == "REJECT"
    assert project.joinpath("handsoff.yaml").exists()


def test_judge_evaluation_follows_a_changed_rule(project: Path) -> None:
    call = ("judge", "--evaluation", save(project, accuracy=0.7799), "--model", "titanic", "--json")
    assert json.loads(said(*call))["decision"] == "REJECT"
    (project / "handsoff.yaml").write_text(MODEL.replace("min: 0.78", "min: 0.77"))
    assert json.loads(said(*call))["decision"] == "APPROVE"


def test_judge_prints_a_table(project: Path) -> None:
    file = save(project, accuracy=0.7799999, champion="arn:of-the-champion", gain=-0.05)
    lines = said("judge", "--evaluation", file, "--model", "titanic").splitlines()
    text = "\n".join(lines)
    assert "verdict            REJECT" in text
    assert "champion           arn:of-the-champion" in text
    (row,) = [line for line in lines if line.lstrip().startswith("accuracy min 0.78")]
    assert re.split(r" {2,}", row.strip()) == [
        "accuracy min 0.78", "0.7799999", "≥ 0.78", "262", "fail → reject"
    ]  # fmt: skip
    assert "accuracy: 0.7799999, needs ≥ 0.78 → fail" in text


def test_judge_reads_the_sample_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "handsoff.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    sample = str(ROOT / "tests" / "samples" / "evaluation.json")
    found = json.loads(said("judge", "--evaluation", sample, "--model", "titanic", "--json"))
    assert found["decision"] in ("APPROVE", "REJECT", "HOLD")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "evaluation.json cannot be read: No such file or directory"),
        ("{", "evaluation.json is not valid: "),
        ("[]", "evaluation.json is not valid: "),
        ("{}", "evaluation.json is not valid: handsoff: the key is required, and it is missing"),
        ('{"handsoff": {"schema_version": 1}}', "(and "),
    ],
)
def test_judge_refuses_an_invalid_file_in_one_line(project: Path, body: str | None, words: str) -> None:
    if body is not None:
        (project / "evaluation.json").write_text(body)
    call = ("judge", "--evaluation", "evaluation.json", "--model", "titanic")
    assert words in refused(*call, error=EvaluationError)


def test_judge_refuses_the_evaluation_of_another_model(project: Path) -> None:
    line = refused("judge", "--evaluation", save(project), "--model", "prices", error=EvaluationError)
    assert line == "evaluation.json is an evaluation of titanic, not of prices"


def test_judge_refuses_an_unknown_model(project: Path) -> None:
    line = refused("judge", "--evaluation", save(project), "--model", "nope", error=ConfigError)
    assert line.endswith("it has: prices, titanic")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either --evaluation FILE --model M, or PACKAGE"),
        (["--model", "titanic"], "either --evaluation FILE --model M, or PACKAGE"),
        (["titanic/1", "--evaluation", "x", "--model", "titanic"], "either --evaluation FILE --model M"),
        (["--evaluation", "x"], "--evaluation needs --model"),
        (["--evaluation", "x", "--model", "titanic", "--without-champion"], "go with PACKAGE"),
        (["--evaluation", "x", "--model", "titanic", "--reason", "r"], "go with PACKAGE"),
        (["titanic/1"], "say --without-champion"),
        (["titanic/1", "--reason", "r"], "say --without-champion"),
        (["titanic/1", "--without-champion"], 'needs --reason "…"'),
        (["titanic/1", "--without-champion", "--reason", " \n"], 'needs --reason "…"'),
        (
            ["titanic/1", "--without-champion", "--reason", "r", "--model", "titanic"],
            "PACKAGE names its model",
        ),
    ],
)
def test_judge_refuses_arguments_that_exclude_each_other(
    project: Path, arguments: list[str], words: str
) -> None:
    assert words in refused("judge", *arguments, error=UsageError)
    assert project.exists()


# ---- on a deployment --------------------------------------------------------------------------------------


@pytest.fixture
def deployed(world: World, project: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A deployment of the project in memory. Version 1 is the champion; 2 is held, as it was not compared."""

    def deployment(config: Config, folder: Path) -> Deployment:
        made = Deployment(config, folder)
        made.__dict__.update(
            sagemaker=world.sagemaker,
            s3=world.s3,
            caller=WHO,
            account="123456789012",
            partition="aws",
            bucket=world.using(Collaborators).settings.bucket,
            ledger=world.ledger,
            collaborators=world.using(Collaborators),
        )
        return made

    monkeypatch.setattr(terminal, "Deployment", deployment)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for version, what in ((1, {}), (2, {"champion": arn_of(1), "problem": "[bold]it is gone\x1b[2J"})):
        register(world, version, **what)
        event = about("candidate_registered.pending", arn_of(version))
        handler(event, Context(), using=world.using(Collaborators))
    assert project.exists()
    return world


@pytest.mark.parametrize("name", ["titanic/2", "handsoff-titanic/2", arn_of(2)])
def test_find_package_accepts_model_group_or_arn(deployed: World, name: str) -> None:
    found = json.loads(said("explain", name, "--json"))
    assert (found["modelPackageArn"], found["verdict"]["decision"]) == (arn_of(2), "HOLD")
    assert deployed.sagemaker.packages[arn_of(2)]["ModelApprovalStatus"] == found["modelApprovalStatus"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("titanic", "is not the ARN of a model package, or model/version"),
        ("titanic/x", "is not the ARN of a model package, or model/version"),
        (
            "titanic/9",
            "no model package titanic/9 here: ModelPackage arn:aws:sagemaker:us-east-1:123456789012:",
        ),
        ("nope/1", "is of no model of this deployment; its groups are: handsoff-prices, handsoff-titanic"),
        (arn_of(1).replace("handsoff-", "handsoffdev-"), "is of no model of this deployment"),
    ],
)
def test_find_package_refuses_an_unknown_package(deployed: World, name: str, words: str) -> None:
    assert deployed
    assert words in refused("explain", name, error=NotFound)


@pytest.mark.parametrize("name", ["titanic/9", arn_of(9)])
def test_find_package_unknown_version_names_the_command_that_shows_what_exists(
    deployed: World, name: str
) -> None:
    assert deployed
    line = refused("explain", name, error=NotFound)
    assert line.endswith("9 does not exist. `handsoff status titanic` shows what there is")


def test_explain_shows_the_decision_and_every_rule(deployed: World) -> None:
    assert deployed
    text = said("explain", "titanic/1")
    assert "approval           Approved by rules" in text
    assert "verdict            APPROVE" in text
    assert "champion           none" in text
    assert "first model        there was no champion, and first_model is rules_only" in text
    rows = [line for line in text.splitlines() if line.lstrip().startswith("accuracy min")]
    assert re.split(r" {2,}", rows[0].strip()) == [
        "accuracy min 0.78", "0.8", "≥ 0.78", "262", "pass"
    ]  # fmt: skip


def test_explain_escapes_markup_and_control_characters(deployed: World) -> None:
    assert deployed
    text = said("explain", "titanic/2")
    assert "[bold]it is gone�[2J" in text
    assert "\x1b[2J" not in text


def test_explain_shows_a_decision_made_in_aws(deployed: World) -> None:
    in_console(deployed, arn_of(2), "Approved")
    fact = {"status": "Approved", "by": "person", "why": "looks good", "at": "2026-11-23T07:00:00+00:00"}
    deployed.items.mark(f"decision#{arn_of(2)}", fact)
    text = said("explain", "titanic/2")
    assert "approval           Approved by a person" in text
    assert "looks good" in text


def test_explain_says_where_there_is_no_verdict_yet(deployed: World) -> None:
    register(deployed, 3)
    assert "there is no verdict yet" in said("explain", "titanic/3")
    assert json.loads(said("explain", "titanic/3", "--json"))["verdict"] is None


def test_judge_without_champion_decides_a_held_candidate(deployed: World) -> None:
    text = said("judge", "titanic/2", "--without-champion", "--reason", "the old one is gone")
    assert "verdict            APPROVE" in text
    assert "put aside          the champion: the old one is gone (said by" in text
    assert '"level"' not in text  # the functions' logs
    assert deployed.sagemaker.packages[arn_of(2)]["ModelApprovalStatus"] == "Approved"
    text = said("explain", "titanic/2")
    assert f"judged again       by {WHO}, because the old one is gone" in text
    assert "earlier            HOLD" in text


def test_judge_without_champion_refuses_a_decided_package(deployed: World) -> None:
    assert deployed
    call = ("judge", "titanic/1", "--without-champion", "--reason", "r")
    assert "handsoff-titanic/1 is Approved already" in refused(*call, error=CannotBeJudged)


# ---- approve and reject -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "status"), [("approve", "Approved"), ("reject", "Rejected")])
def test_approve_and_reject_record_name_and_reason(deployed: World, command: str, status: str) -> None:
    line = said(command, "titanic/2", "--reason", "compared by\thand\n")
    assert line == f"handsoff-titanic/2: {status} by {WHO} (operator)\n"
    package = deployed.sagemaker.packages[arn_of(2)]
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == (status, "compared by hand")
    text = said("explain", "titanic/2")
    assert f"{status} by {WHO} (operator)" in text
    assert "compared by hand" in text
    assert "what to do" not in text  # it is decided
    assert said(command, "titanic/2", "--reason", "compared by hand") == line  # this changes nothing
    assert said(command, "titanic/2", "--reason", "again") == (
        f"handsoff-titanic/2: {status} by {WHO} (operator) already, because compared by hand; "
        "the new reason is not recorded\n"
    )


def test_approve_json_is_the_standing_decision(deployed: World) -> None:
    found = json.loads(said("approve", "titanic/2", "--reason", "good", "--json"))
    assert found == {
        "modelPackageArn": arn_of(2),
        "modelApprovalStatus": "Approved",
        "ours": True,
        "decidedBy": "operator",
        "decidedWho": WHO,
        "decidedAt": deployed.stored(f"decision#{arn_of(2)}")["at"],
        "decidedWhy": "good",
    }


def test_approve_after_another_decision_shows_that_decision(deployed: World) -> None:
    using = deployed.using(Collaborators)
    first = decide(arn_of(2), "Rejected", by="link", who="Ana", why="[b]no", using=using)
    line = refused("approve", "titanic/2", "--reason", "yes", error=AlreadyDecided)
    at = first.at.isoformat()
    assert line == f"handsoff-titanic/2 is Rejected by Ana (link) already, since {at}: [b]no"
    done = run("approve", "titanic/2", "--reason", "yes", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["ours"], found["decidedBy"], found["decidedWho"]) == (False, "link", "Ana")
    assert deployed.sagemaker.packages[arn_of(2)]["ModelApprovalStatus"] == "Rejected"


def test_approve_after_the_rules_decided_is_one_short_line(deployed: World) -> None:
    line = refused("approve", "titanic/1", "--reason", "yes", error=AlreadyDecided)
    at = deployed.stored(f"decision#{arn_of(1)}")["at"]
    assert line == (
        f"handsoff-titanic/1 is Approved by rules already, since {at}; "
        "`handsoff explain titanic/1` shows the reasons"
    )


def test_approve_during_another_approval_says_try_again(deployed: World) -> None:
    until = "2999-01-01T00:00:00+00:00"
    deployed.items.mark("lease#handsoff-titanic", {"state": "claimed", "until": until})
    line = refused("approve", "titanic/2", "--reason", "yes", error=NotReady)
    assert line.endswith("is being decided right now; try again in two minutes")
    assert said("reject", "titanic/2", "--reason", "no")  # a rejection waits for no lease


def test_reject_after_an_approval_in_aws_shows_how_to_take_it_back(deployed: World) -> None:
    in_console(deployed, arn_of(2), "Approved")
    line = refused("reject", "titanic/2", "--reason", "no", error=AlreadyDecided)
    assert line == (
        f"handsoff-titanic/2 is Approved by {CONSOLE} (in AWS) already, "
        "since 2026-11-23T07:00:00+00:00: because. To take it back if it is the champion: "
        'handsoff rollback titanic --reason "…"; otherwise: aws sagemaker update-model-package '
        f'--model-package-arn {arn_of(2)} --model-approval-status Rejected --approval-description "…"'
    )


@pytest.mark.parametrize("reason", ["", " \n", "\x1b", "x" * 301])
@pytest.mark.parametrize("command", ["approve", "reject"])
def test_approve_and_reject_need_a_reason(deployed: World, command: str, reason: str) -> None:
    line = refused(command, "titanic/2", "--reason", reason, error=NoReason)
    assert line.startswith("say why in 1 to 300 characters, not ")
    assert run(command, "titanic/2").exit_code == 2
    assert deployed.items.get(f"decision#{arn_of(2)}") is None


def test_explain_and_evidence_show_earlier_decisions(deployed: World) -> None:
    said("reject", "titanic/2", "--reason", "too early")
    in_console(deployed, arn_of(2), "PendingManualApproval", 10**7)
    said("approve", "titanic/2", "--reason", "now it fits")
    for text in (
        said("explain", "titanic/2"),
        said("evidence", "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e1"),
    ):
        assert "decided before     Rejected" in text
        assert f"by {WHO} (operator): too early" in text
        assert "now it fits" in text
    found = json.loads(said("explain", "titanic/2", "--json"))
    assert (found["decidedBy"], found["decidedWho"], found["decidedWhy"]) == ("operator", WHO, "now it fits")
    assert [item["why"] for item in found["earlierDecisions"]] == ["too early"]


def test_explain_shows_who_set_a_package_back_to_pending(deployed: World) -> None:
    said("reject", "titanic/2", "--reason", "too early")
    in_console(deployed, arn_of(2), "PendingManualApproval", 10**7)
    event = about("candidate_registered.pending", arn_of(2))
    handler(event, Context(), using=deployed.using(Collaborators))
    text = said("explain", "titanic/2")
    assert "approval           PendingManualApproval: waits for a person" in text
    assert f"by {CONSOLE} (in AWS): set back to pending in AWS; before, it was rejected by {WHO}" in text


def test_explain_before_the_verdict_says_that_the_rules_have_not_judged(deployed: Any) -> None:
    register(deployed, 3)
    text = said("explain", "titanic/3")
    assert "approval           PendingManualApproval: the rules have not judged it yet" in text
    assert "there is no verdict yet: the package has not been judged" in text


def test_explain_of_a_decision_that_is_being_written_says_so(deployed: Any) -> None:
    decision = {"status": "Approved", "by": "link", "who": "Ana", "at": "2026-11-23T06:00:00+00:00"}
    deployed.items.take(f"decision#{arn_of(2)}", decision)
    text = said("explain", "titanic/2")
    assert "approval           PendingManualApproval: is being approved by Ana (link)" in text


def test_explain_of_a_decision_in_aws_names_the_person_before_it_is_recorded(deployed: Any) -> None:
    in_console(deployed, arn_of(2), "Rejected")
    assert f"approval           Rejected by {CONSOLE} (in AWS)" in said("explain", "titanic/2")


# ---- the anchor, and looks --------------------------------------------------------------------------------


def approved_later(world: World, version: int) -> None:
    """Let a person have approved this version, long after version 1."""
    in_console(world, arn_of(version), "Approved", 100 * 366 * 24 * 60)


def test_anchor_shows_the_first_approved_package(deployed: World) -> None:
    assert json.loads(said("anchor", "titanic", "--json"))["anchor"]["modelPackageArn"] == arn_of(1)
    text = said("anchor", "titanic")
    assert f"anchor             {arn_of(1)}" in text
    assert ", as the first approved package" in text
    assert deployed.stored("anchor#handsoff-titanic")["package"] == arn_of(1)


def test_anchor_of_a_model_without_approved_package_says_so(deployed: World) -> None:
    assert deployed
    text = "prices has no anchor: the first approved package becomes the anchor"
    assert said("anchor", "prices").strip() == text
    assert json.loads(said("anchor", "prices", "--json")) == {"model": "prices", "anchor": None}


def test_anchor_moves_and_shows_who_moved_it_and_why(deployed: World) -> None:
    approved_later(deployed, 2)
    deployed.messages()
    text = said("anchor", "titanic", "titanic/2", "--reason", "new [bold]sensors")
    assert f"anchor             {arn_of(2)}" in text
    assert f"by {WHO}: new [bold]sensors" in text
    assert f"earlier            {arn_of(1)}: " in text
    assert '"level"' not in text  # the functions' logs
    assert [message["kind"] for message in deployed.messages()] == ["anchor_moved"]
    shown = json.loads(said("anchor", "titanic", "--json"))["anchor"]
    assert (shown["setBy"], shown["setWho"], shown["setWhy"]) == ("operator", WHO, "new [bold]sensors")
    assert [item["modelPackageArn"] for item in shown["earlier"]] == [arn_of(1)]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["titanic/1"], UsageError, 'moving the anchor needs --reason "…": it is recorded'),
        (["titanic/1", "--reason", " "], UsageError, 'moving the anchor needs --reason "…"'),
        (["--reason", "w"], UsageError, "--reason goes with PACKAGE, the package that becomes the anchor"),
        (["titanic/1", "--reason", "x" * 301], NoReason, "say why in 1 to 300 characters, not 301"),
        (["titanic/9", "--reason", "w"], NotFound, "no model package titanic/9 here"),
        (["nope/1", "--reason", "w"], NotFound, "is of no model of this deployment"),
        (
            ["titanic/2", "--reason", "w"],
            CannotBeAnchor,
            "handsoff-titanic/2 waits for a decision, and only an approved package may be the anchor: "
            f'handsoff approve {arn_of(2)} --reason "…" first',
        ),
        (
            ["titanic/3", "--reason", "w"],
            CannotBeAnchor,
            "handsoff-titanic/3 is Rejected, and only an approved package may be the anchor: name one",
        ),
    ],
)
def test_anchor_refuses_what_cannot_be_one(
    deployed: World, arguments: list[str], error: type[HandsoffError], words: str
) -> None:
    register(deployed, 3, status="Rejected")
    before = said("anchor", "titanic", "--json")
    assert words in refused("anchor", "titanic", *arguments, error=error)
    assert said("anchor", "titanic", "--json") == before


def test_anchor_refuses_a_package_of_another_model(deployed: World) -> None:
    assert deployed
    line = refused("anchor", "prices", "titanic/1", "--reason", "w", error=CannotBeAnchor)
    assert line.startswith("handsoff-titanic/1 is no package of prices: `handsoff status prices` lists those")


def test_anchor_refuses_an_unknown_model(deployed: World) -> None:
    assert deployed
    assert "no model nope in" in refused("anchor", "nope", error=ConfigError)


@pytest.mark.parametrize(("look", "decision"), [((), "APPROVE"), (("--look", "2"), "HOLD")])
def test_judge_evaluation_says_which_look_it_assumes(
    project: Path, look: tuple[str, ...], decision: str
) -> None:
    rule = "{metric: roc_auc, versus_champion: {min_gain: 0}, on_fail: hold}"
    (project / "handsoff.yaml").write_text(MODEL.replace("{metric: accuracy, min: 0.78}", rule))
    file = save(project, champion="arn:c", gain=0.011)  # 0.011 − 1.96 · 0.005 > 0 > 0.011 − 2.39 · 0.005
    text = said("judge", "--evaluation", file, "--model", "titanic", *look)
    assert f"verdict            {decision}" in text
    assert f"look               {look[1] if look else 1} at these validation rows (assumed: --look)" in text


def test_judge_evaluation_without_such_a_rule_speaks_of_no_look(project: Path) -> None:
    text = said("judge", "--evaluation", save(project, champion="arn:c"), "--model", "titanic")
    assert "look" not in text
