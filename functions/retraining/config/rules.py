"""The rules of handsoff.yaml: what a candidate must fulfil to be approved."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from retraining.config.fields import Column, Duration, Section, Value

OnFail = Literal["reject", "hold", "warn"]

COMPARED_ROWS: Final = 30
"""Rows below which a paired difference's standard error, and so its bound, is not to be trusted."""

CLASS_ROWS: Final = 10
"""The same of the rows of each class, where a metric depends on them: with two positive rows, one in seven
models that know nothing seemed better than guessing at 99 % (bench/coverage.py)."""


class VersusChampion(Section):
    """How the candidate must compare with the champion on the same validation rows.

    `max_loss` asks for non-inferiority: the candidate may be worse by at most this much. `min_gain` asks
    for a proven gain. Both are held against the one-sided bound of the paired gain at `confidence`, never
    against the bare difference: gain − z(confidence) · standard error ≥ −max_loss, or ≥ min_gain.

    Both are in units of the metric, or, if `relative`, shares of the champion's absolute value. The
    champion's value is an estimate, too: what is bounded then is candidate − (1 ∓ share) · champion, with
    the uncertainty of both in it (docs/reference/rules.md).
    """

    max_loss: float | None = Field(None, ge=0, allow_inf_nan=False)
    min_gain: float | None = Field(None, ge=0, allow_inf_nan=False)
    relative: bool = False
    confidence: float = Field(0.95, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.max_loss is None) == (self.min_gain is None):
            raise ValueError("either max_loss or min_gain")
        share = self.max_loss or self.min_gain or 0.0
        if self.relative and share >= 1:
            raise ValueError(
                f"relative: true makes {share:g} {100 * share:g} % of the champion's value; "
                f"{share:g} % is {share / 100:g}"
            )
        return self

    @property
    def asks(self) -> tuple[Literal["max_loss", "min_gain"], float]:
        """The key that is set, and its value."""
        if self.min_gain is not None:
            return "min_gain", self.min_gain
        return "max_loss", self.max_loss or 0.0


class _Rule(Section):
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    on_fail: OnFail = "reject"

    @model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: no model could pass")
        return self


class MetricRule(_Rule):
    """One condition on one metric of the task, on all validation rows or on a slice of them."""

    metric: str
    versus_champion: VersusChampion | None = None
    slice: dict[Column, Value] | None = Field(None, min_length=1)
    min_samples: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.min is None and self.max is None and self.versus_champion is None:
            raise ValueError("at least one of min, max, versus_champion")
        return self

    @property
    def rows_needed(self) -> int:
        """`min_samples`; without it 1, or as many as a comparison needs for its bound to mean anything."""
        return self.min_samples or (COMPARED_ROWS if self.versus_champion else 1)


class DataRule(_Rule):
    """One condition on the data of this execution, all of it counted by DataPreProcessing.

    `rows` of a split; `missing_share`, from 0 to 1, of a feature in a split; `drift`, the population
    stability index of a feature between the champion's training rows and the candidate's (0 is none; 0.1 is
    commonly called some and 0.25 much). Without `column` the worst feature counts.
    """

    data: Literal["rows", "missing_share", "drift"]
    split: Literal["train", "validation"] = "train"
    column: Column | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.data == "rows" and self.column is not None:
            raise ValueError("rows takes no column")
        if self.data == "drift" and self.split != "train":
            raise ValueError("drift compares training rows: it takes no split")
        if self.data != "rows" and (self.max is None or self.min is not None):
            raise ValueError(f"{self.data} takes max, and no min")
        if self.min is None and self.max is None:
            raise ValueError("at least one of min, max")
        highest = {"rows": math.inf, "missing_share": 1.0, "drift": math.inf}[self.data]
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not 0 <= bound <= highest:
                raise ValueError(f"{self.data} lies between 0 and {highest:g}, so {name} cannot be {bound:g}")
        return self


def _kind_of_rule(value: object) -> str:
    data = "data" in value if isinstance(value, Mapping) else isinstance(value, DataRule)
    return "<data>" if data else "<metric>"


Rule = MetricRule | DataRule


class Approval(Section):
    """What a candidate must fulfil. All rules must hold for an approval, and without any there is none.

    `first_model` says what happens while there is no champion: the other rules decide, or a person.

    The rest is about candidates that wait for a person: how long a signed link lasts; after how long
    approvers are reminded, once; after how long the candidate is rejected, both counted from its verdict
    and left out by null; and whether the page of the link may decide or only shows.
    """

    first_model: Literal["rules_only", "hold"] = "rules_only"
    link_expires_after: Duration = timedelta(hours=72)
    remind_after: Duration | None = timedelta(hours=24)
    expire_after: Duration | None = timedelta(days=14)
    review_page: Literal["decide", "read_only"] = "decide"
    rules: tuple[
        Annotated[
            Annotated[MetricRule, Tag("<metric>")] | Annotated[DataRule, Tag("<data>")],
            Discriminator(_kind_of_rule),
        ],
        ...,
    ] = ()

    @model_serializer(mode="wrap")
    def _null_is_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Dumps leave null out, where it is the same as saying nothing. Here it is not."""
        dumped: dict[str, Any] = dump(self)
        said = {"remind_after": self.remind_after, "expire_after": self.expire_after}
        return {**dumped, **{name: None for name, value in said.items() if value is None}}

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if not self.link_expires_after:
            raise ValueError("link_expires_after must be longer than nothing")
        if self.expire_after is None:
            return self
        if not self.expire_after:
            raise ValueError("expire_after must be longer than nothing; null lets candidates wait for ever")
        if self.remind_after is not None and self.expire_after <= self.remind_after:
            raise ValueError("expire_after must be longer than remind_after: a reminder comes first")
        return self


def rules_sha256(approval: Approval) -> str:
    """The identity of a set of rules: SHA-256 of its canonical JSON."""
    dumped = [rule.model_dump(mode="json") for rule in approval.rules]
    rules = {"first_model": approval.first_model, "rules": dumped}
    text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
