"""A verdict as it is stored and shown: the decision, its reasons, and the result of each rule.

A reason has a code for programs and a text for people. Code asks for codes and kinds; it never reads a text.
Only version_1.py does, for verdicts that were stored before there were codes.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from retraining.verdicts import version_1

Decision = Literal["APPROVE", "REJECT", "HOLD"]
"""What becomes of the candidate. HOLD leaves the decision to a person."""

Outcome = Literal["pass", "fail", "undecided", "unknown", "skipped"]
"""Whether a rule holds. `fail` of a comparison means that the candidate is worse. `undecided`: the interval
contains the limit, so that the rows are too few to tell. `unknown`: a number is missing or undefined.
`skipped`: there is no champion to compare with, or a person put it aside."""

Effect = Literal["none", "warn", "hold", "reject"]
"""What the outcome of a rule does to the candidate. `warn` only adds a reason."""

Kind = Literal["metric", "versus_champion", "versus_anchor", "data", "drift", "guessing"]
"""What a rule is about. A rule on a metric that also compares with the champion is `versus_champion`. Its
comparison with the anchor is a result of its own."""

Question = Literal["min", "max", "min_samples", "max_loss", "min_gain", "max_gain", "better_than_guessing"]
"""What a finding answers. The names are those of the configuration's keys where there is one."""

COMPARING: Final = ("max_loss", "min_gain")
"""Questions whose answer is that the candidate is worse, if it is not met."""

LEAP: Final = "suspicious leap"
"""The word for a measured gain above `max_gain`."""

Code = Literal[
    # the result of a rule
    "rule_passed",
    "rule_skipped",
    "rule_warned",  # it failed, and its on_fail is warn
    "rule_failed",  # it failed, and its on_fail is reject or hold
    "rule_undecided",  # the interval contains its limit
    "rule_unknown",
    "asks_nothing",  # guessing meets the rule, too
    "no_rule_met",  # no rule passed, so nothing can be approved by rule
    # the result of the comparison with guessing
    "not_better_than_guessing",
    "not_shown_better_than_guessing",
    "guessing_unknown",
    # the champion
    "champion_changed",  # the candidate was compared with another one than the present one
    "champion_not_comparable",  # its artifact is gone, or cannot be loaded
    "champion_sees_unknown",  # in too many rows it does not know a category that the candidate knows
    "champion_lookalike_rows",  # too many validation rows are equal to rows that it was trained on
    "champion_put_aside",  # by a person
    "slice_worse",  # the candidate is worse than the champion on rows that no rule names
    "first_model_hold",  # there is none, and first_model is hold
    # the anchor
    "anchor_changed",  # the candidate was compared with another one than the present one
    "anchor_gone",  # its package is deleted, or is approved no more
    "anchor_sees_unknown",  # in too many rows it does not know a category that the candidate knows
    # the evaluation is not about this candidate and these rules
    "another_task",
    "another_classes",
    "evaluation_of_another_execution",
    "evaluation_inconsistent",  # two of its numbers contradict each other
    "artifact_elsewhere",  # the model or the evaluation is not where its execution writes
    "drift_reference",  # drift was measured against another package than the champion
    # the data
    "lookalike_rows",  # too many validation rows are equal to rows that the candidate was trained on
    "set_back",  # it was decided before, in a ledger that is lost, and is pending again
    "data_note",  # DataPreProcessing noted it: objects that are no data, files without rows, empty columns
    "rejected_same_data",  # a person has rejected a model that was trained on the same batch
    "unspecified",
]
"""Why a verdict is what it is. A reason of handsoff 0.1 that version_1.py does not know is `unspecified`."""


_ABOUT_THE_CHAMPION: Final[tuple[Code, ...]] = (
    "champion_changed",
    "champion_not_comparable",
    "champion_sees_unknown",
    "champion_lookalike_rows",
)
"""Reasons to hold a candidate that lie in the champion."""


class _Frozen(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, populate_by_name=True)


class Reason(_Frozen):
    """One reason of a verdict: `code` for programs, `text` for people.

    `effect` is what it does to the candidate. It is None for the result of a rule, whose effect stands there,
    for notes, and in verdicts of earlier versions.
    """

    code: Code
    text: str
    effect: Effect | None = None


class Finding(_Frozen):
    """The answer to one question of a rule: `observed` compared with `limit`, on `n` rows.

    `clusters` is the number of clusters of these rows where they are fewer (docs/glossary.md), else None.
    Both are in units of the metric, of the number of rows, or of what else the rule asks about. For a
    comparison with another model, `observed` is the lower one-sided bound of the gain; for a limit with a
    confidence it is the bound of the value. `estimate` is then the gain or the value itself, and `bounds` are
    its lower and upper one-sided bound. `standard_error` is that of the gain over another model. None is not
    known, or of an earlier version. `numbers` is `text` without the conclusion after the arrow.
    """

    question: Question
    outcome: Outcome
    n: int | None = None
    clusters: int | None = None
    observed: float | None = None
    limit: float | None = None
    estimate: float | None = None
    bounds: tuple[float, float] | None = None
    standard_error: float | None = Field(None, alias="standardError")
    numbers: str = ""
    text: str

    @classmethod
    def of(
        cls,
        question: Question,
        outcome: Outcome,
        numbers: str,
        conclusion: str | None = None,
        *,
        n: int | None = None,
        observed: float | None = None,
        limit: float | None = None,
        estimate: float | None = None,
        bounds: tuple[float, float] | None = None,
        standard_error: float | None = None,
    ) -> Self:
        """A finding whose text is `numbers → conclusion`; an empty conclusion is left out.

        Without `conclusion`, the word for the outcome is the conclusion.
        """
        if conclusion is None:
            conclusion = word_for(outcome, worse=question in COMPARING)
        text = f"{numbers} → {conclusion}" if conclusion else numbers
        return cls(
            question=question,
            outcome=outcome,
            n=n,
            observed=observed,
            limit=limit,
            estimate=estimate,
            bounds=bounds,
            standard_error=standard_error,
            numbers=numbers,
            text=text,
        )

    @property
    def worse(self) -> bool:
        """Whether the candidate is shown to be worse than a comparison with another model allows."""
        return self.outcome == "fail" and self.question in COMPARING and self.bounds is not None

    @property
    def word(self) -> str:
        """The word for the outcome.

        Before there were three answers, a comparison failed where it was not shown to be met: that is no
        `worse`.
        """
        if (self.question, self.outcome) == ("max_gain", "fail"):
            return LEAP
        return word_for(self.outcome, worse=self.worse)


def word_for(outcome: Outcome, *, worse: bool = False) -> str:
    """The one word for an outcome, wherever people read it. `worse` says that a comparison was made."""
    if outcome == "unknown":
        return "cannot be judged"
    return "worse" if outcome == "fail" and worse else outcome


class RuleResult(_Frozen):
    """The result of one rule: `rule` describes it, `effect` is what `outcome` means for the candidate.

    `numbers` is `text` without the conclusion after its last arrow.
    """

    rule: str
    kind: Kind
    outcome: Outcome
    effect: Effect
    numbers: str = ""
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def compares(self) -> bool:
        """Whether the rule compares the candidate, or its data, with the champion's."""
        return self.kind in ("versus_champion", "drift")

    @property
    def lost(self) -> bool:
        """Whether a comparison with the champion was made and failed."""
        return any(
            finding.outcome == "fail"
            and self.kind != "versus_anchor"
            and (finding.question in COMPARING or self.kind == "drift")
            for finding in self.findings
        )

    @property
    def left_open(self) -> bool:
        """Whether a comparison with the champion was made and left undecided."""
        asked = self.kind == "versus_champion"
        return asked and any(
            finding.outcome == "undecided" and finding.question in COMPARING for finding in self.findings
        )

    @property
    def word(self) -> str:
        """The word for the outcome: that of the first finding with this outcome."""
        deciding = (finding.word for finding in self.findings if finding.outcome == self.outcome)
        return next(deciding, word_for(self.outcome))


class Verdict(_Frozen):
    """The decision on a candidate, its reasons, and the results of the rules.

    `champion` is the ARN of the group's champion when the candidate was judged. `rules_sha256` identifies
    the rules. `n` is the number of validation rows. `first_model` is the configuration's value, if there was
    no champion. `without_champion` says who put the champion aside, and why. `anchor` is the ARN of the
    model's anchor, None where no rule asks for it or there is none. `look` says the how-many-th candidate it
    is that a rule on a proven gain has seen on these validation rows, None where no rule asks for a gain.
    """

    decision: Decision
    reasons: tuple[Reason, ...]
    rules: tuple[RuleResult, ...]
    champion: str | None
    rules_sha256: str = Field(alias="rulesSha256")
    n: int
    first_model: str | None = Field(None, alias="firstModel")
    without_champion: str | None = Field(None, alias="withoutChampion")
    anchor: str | None = None
    look: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _stored_by_version_1(cls, value: object) -> object:
        """Verdicts of handsoff 0.1 have neither codes nor kinds."""
        return version_1.upgraded(value) if isinstance(value, Mapping) else value

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons for people, the decisive ones first."""
        return tuple(reason.text for reason in self.reasons)

    @property
    def lost_to_champion(self) -> RuleResult | None:
        """The first rule whose comparison with the champion was made and failed."""
        return next((result for result in self.rules if result.lost), None)

    @property
    def undecided_against_champion(self) -> RuleResult | None:
        """The first rule whose comparison with the champion was made and left undecided."""
        return next((result for result in self.rules if result.left_open), None)

    @property
    def held_by_champion(self) -> bool:
        """Whether the champion is a reason to hold the candidate, so that putting it aside may help.

        The champion cannot be compared with, is no measure, or has changed, or a rule cannot be judged while
        no comparison with it was left undecided. It also counts if the champion was put aside before.
        """
        if self.without_champion or any(reason.code in _ABOUT_THE_CHAMPION for reason in self.reasons):
            return True
        if self.undecided_against_champion:
            return False
        return any(result.compares and result.outcome == "unknown" for result in self.rules)

    def held(self, reason: Reason) -> Self:
        """The verdict as a HOLD for this reason, which comes first."""
        first = reason.model_copy(update={"effect": "hold"})
        return self.model_copy(update={"decision": "HOLD", "reasons": (first, *self.reasons)})

    def as_evidence(self) -> dict[str, Any]:
        """The verdict as evidence.json and the command line show it: JSON values, camelCase keys.

        `reasons` are texts; `reasonCodes` are their codes, in the same order.
        """
        dumped = self.model_dump(
            mode="json",
            by_alias=True,
            exclude={"rules": {"__all__": {"numbers": True, "findings": {"__all__": {"numbers"}}}}},
        )
        codes = [reason.code for reason in self.reasons]
        return {**dumped, "reasons": list(self.texts), "reasonCodes": codes}
