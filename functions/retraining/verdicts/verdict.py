"""A verdict as it is stored and shown: the decision, its reasons, and the result of each rule.

A reason has a code for programs and a text for people. Code asks for codes and kinds; it never reads a text.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

Decision = Literal["APPROVE", "REJECT", "HOLD"]
"""What becomes of the candidate. HOLD leaves the decision to a person."""

Outcome = Literal["pass", "fail", "unknown", "skipped"]
"""What came of a rule. `unknown`: a number is missing or undefined. `skipped`: there is no champion to ask
about."""

Effect = Literal["none", "warn", "hold", "reject"]
"""What a rule's outcome means for the candidate."""

Kind = Literal["metric", "versus_champion", "data", "drift", "guessing", "unspecified"]
"""What a rule is about. A rule on a metric that also compares with the champion is `versus_champion`.

Verdicts that were recorded before rules had kinds are `unspecified`.
"""

Question = Literal["min", "max", "min_samples", "max_loss", "min_gain", "better_than_guessing"]
"""What a finding answers. The names are those of the configuration's keys where there is one."""

Code = Literal[
    "rule_passed",
    "rule_skipped",
    "rule_warned",
    "rule_failed",
    "rule_unknown",
    "no_rule_met",
    "not_better_than_guessing",
    "not_shown_better_than_guessing",
    "guessing_unknown",
    "champion_changed",
    "champion_not_comparable",
    "champion_put_aside",
    "first_model_hold",
    "another_task",
    "another_classes",
    "evaluation_of_another_execution",
    "artifact_elsewhere",
    "drift_reference",
    "rejected_same_data",
    "unspecified",
]
"""Why a verdict is what it is. Verdicts that were recorded before reasons had codes are `unspecified`."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Reason(_Frozen):
    """One reason of a verdict: `code` for programs, `text` for people."""

    code: Code
    text: str


class Finding(_Frozen):
    """The answer to one question of a rule: `observed` was compared with `limit`, both in the metric's units.

    For a comparison, `observed` is the one-sided bound of the gain. None is a number that is not known.
    `numbers` is `text` without the conclusion after the arrow.
    """

    question: Question
    outcome: Outcome
    n: int | None = None
    observed: float | None = None
    limit: float | None = None
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
    ) -> Self:
        """A finding whose text is `numbers → conclusion`; an empty conclusion is left out.

        Without `conclusion`, the outcome is the conclusion, and "cannot be judged" if it is unknown.
        """
        if conclusion is None:
            conclusion = "cannot be judged" if outcome == "unknown" else outcome
        text = f"{numbers} → {conclusion}" if conclusion else numbers
        return cls(
            question=question,
            outcome=outcome,
            n=n,
            observed=observed,
            limit=limit,
            numbers=numbers,
            text=text,
        )


class RuleResult(_Frozen):
    """The result of one rule: `rule` describes it, `effect` is what `outcome` means for the candidate.

    `numbers` is `text` without the conclusion after its last arrow; empty in verdicts recorded before.
    """

    rule: str
    kind: Kind = "unspecified"
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
            and (finding.question in ("max_loss", "min_gain") or self.kind == "drift")
            for finding in self.findings
        )


class Verdict(_Frozen):
    """The decision on a candidate, its reasons, and the results of the rules.

    `champion` is the ARN of the group's champion when the candidate was judged. `rules_sha256` identifies
    the rules. `n` is the number of validation rows. `first_model` is the configuration's value, if there was
    no champion. `without_champion` says who put the champion aside, and why.
    """

    decision: Decision
    reasons: tuple[Reason, ...]
    rules: tuple[RuleResult, ...]
    champion: str | None
    rules_sha256: str = Field(alias="rulesSha256")
    n: int
    first_model: str | None = Field(None, alias="firstModel")
    without_champion: str | None = Field(None, alias="withoutChampion")

    @field_validator("reasons", mode="before")
    @classmethod
    def _reasons_without_codes(cls, value: object) -> object:
        """Reasons were plain texts before they had codes, and they still are in evidence."""
        if not isinstance(value, list | tuple):
            return value
        return [{"code": "unspecified", "text": item} if isinstance(item, str) else item for item in value]

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons for people, the decisive ones first."""
        return tuple(reason.text for reason in self.reasons)

    @property
    def lost_to_champion(self) -> RuleResult | None:
        """The first rule whose comparison with the champion was made and failed."""
        return next((result for result in self.rules if result.lost), None)

    @property
    def held_by_champion(self) -> bool:
        """Whether the champion is a reason to hold the candidate, so that putting it aside may help.

        The champion cannot be compared with, has changed, or leaves a comparison open. It also counts if
        the champion was put aside before.
        """
        if self.without_champion:
            return True
        if any(reason.code in ("champion_changed", "champion_not_comparable") for reason in self.reasons):
            return True
        return any(result.compares and result.outcome == "unknown" for result in self.rules)

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
