"""The rules of handsoff.yaml: what a candidate must fulfil, and what happens while it waits for a person."""

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

from retraining.config.fields import DATA_RULE, METRIC_RULE, Column, Duration, Section, Value
from retraining.config.tasks import METRICS, NOT_COMPARED, Task
from retraining.config.versus_anchor import VersusAnchor

OnFail = Literal["reject", "hold", "warn"]
"""What a rule that fails does to the candidate."""

COMPARED_ROWS: Final = 30
"""The number of rows from which the standard error of a paired difference, and so its bound, is reliable."""

CLASS_ROWS: Final = 10
"""The number of rows of each class from which the bound of a metric that depends on classes is reliable.

With two positive rows, one in seven models that know nothing seemed better than guessing at 99 %
(bench/coverage.py).
"""


class VersusChampion(Section):
    """How the candidate must compare with the champion on the same validation rows.

    `max_loss` asks for non-inferiority: the candidate may be worse by at most this much. `min_gain` asks
    for a proven gain. Both are compared with the one-sided bound of the paired gain at `confidence`, never
    with the bare difference: gain − t(confidence) · standard error ≥ −max_loss, or ≥ min_gain.

    Both are in units of the metric. If `relative` is true, they are shares of the champion's absolute value.
    The champion's value is an estimate, too: the bound is then of candidate − (1 ∓ share) · champion and
    contains the uncertainty of both (docs/reference/rules.md).
    """

    max_loss: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Non-inferiority: the candidate may be worse by at most this much. Either this or `min_gain`."""

    min_gain: float | None = Field(None, ge=0, allow_inf_nan=False)
    """A proven gain: the candidate must be better by at least this much."""

    relative: bool = False
    """Both are shares of the champion's absolute value, instead of units of the metric."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence of the one-sided bound of the gain, with which they are compared."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.max_loss is None) == (self.min_gain is None):
            raise ValueError("name either max_loss or min_gain")
        share = self.max_loss or self.min_gain or 0.0
        if self.relative and share >= 1:
            raise ValueError(
                f"with relative: true, {share:g} means {100 * share:g} % of the champion's value; "
                f"write {share / 100:g} for {share:g} %"
            )
        return self

    @property
    def asks(self) -> tuple[Literal["max_loss", "min_gain"], float]:
        """The key that is set, max_loss or min_gain, and its value."""
        if self.min_gain is not None:
            return "min_gain", self.min_gain
        return "max_loss", self.max_loss or 0.0


class _Rule(Section):
    """What both kinds of rules have: limits, and what happens to a candidate outside them."""

    min: float | None = Field(None, allow_inf_nan=False)
    """The lowest value that passes."""

    max: float | None = Field(None, allow_inf_nan=False)
    """The highest value that passes."""

    on_fail: OnFail = "reject"
    """What a rule that is not met does to the candidate."""

    @model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: no model could pass")
        return self


class MetricRule(_Rule):
    """A condition on one metric of the task, on all validation rows or on a slice of them."""

    metric: str
    """A metric of the model's task."""

    versus_champion: VersusChampion | None = None
    """How the candidate compares with the champion on the same rows."""

    versus_anchor: VersusAnchor | None = None
    """How the candidate compares with the model's anchor on the same rows. It may stand beside
    `versus_champion`."""

    slice: dict[Column, Value] | None = Field(None, min_length=1)
    """Only rows with these values in these categorical or boolean columns are looked at."""

    min_samples: int | None = Field(None, ge=1)
    """Rows below which the rule cannot be judged, so that it holds the candidate. Without it, 30 for a
    comparison and 1 otherwise."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if (self.min, self.max, self.versus_champion, self.versus_anchor) == (None,) * 4:
            asks = "min, max, versus_champion, versus_anchor"
            raise ValueError(f"the rule asks nothing: name at least one of {asks}")
        return self

    @property
    def rows_needed(self) -> int:
        """`min_samples`. Its default is 1, and COMPARED_ROWS for a comparison with another model."""
        return self.min_samples or (COMPARED_ROWS if self.versus_champion or self.versus_anchor else 1)

    def problem_in(self, task: Task) -> str | None:
        """Why the rule makes no sense in this task: no such metric, or a limit that no value crosses."""
        metrics = METRICS[task]
        if self.metric not in metrics:
            return f"{self.metric} is not a metric of {task}; its metrics are {', '.join(metrics)}"
        lowest, highest = metrics[self.metric]
        within = f"{self.metric} lies between {lowest:g} and {highest:g}"
        for name, limit, useless in (("min", self.min, lowest), ("max", self.max, highest)):
            if limit is not None and not lowest <= limit <= highest:
                return f"{within}, so {name} cannot be {limit:g}"
            if limit == useless:
                return f"{within}: with {name} {limit:g} no model could fail"
        margins = [versus.asks[1] for versus in (self.versus_champion,) if versus and not versus.relative]
        margins += [versus.max_loss for versus in (self.versus_anchor,) if versus and not versus.relative]
        for margin in margins:
            if margin >= highest - lowest:
                return f"{within}: no two values differ by more than {margin:g}"
        for name, versus in (("champion", self.versus_champion), ("anchor", self.versus_anchor)):
            if versus and self.metric in NOT_COMPARED:
                return f"{self.metric} cannot be compared with the {name}'s reliably: compare brier instead"
        return None


class DataRule(_Rule):
    """A condition on the data of the execution, as DataPreProcessing counted it."""

    data: Literal["rows", "missing_share", "unknown_share", "drift", "leaked_share", "lookalikes"]
    """`rows`: the number of rows in a split. `missing_share`: the share, from 0 to 1, of missing values of a
    feature in a split. `unknown_share`: the share, from 0 to 1, of a categorical feature's validation values
    that are not among the training values, beyond what the training rows explain. `drift`: the population
    stability index of a feature, between the champion's training rows and the candidate's; 0 is none, 0.1 is
    commonly called some, and 0.25 much. `leaked_share`: the share, from 0 to 1, of the validation rows that
    are left out because they, or their groups, are among the training rows. `lookalikes`: by how many
    standard errors more validation rows look like a training row than training rows look like another one;
    the larger one of the candidate's training rows and the champion's. Without such a rule, more than 4 holds
    the candidate."""

    split: Literal["train", "validation"] = "train"
    """The split that is looked at. Only `rows` and `missing_share` take one."""

    column: Column | None = None
    """The feature. Without it, the worst feature counts. `rows`, `leaked_share` and `lookalikes` take no
    feature."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.data in ("rows", "leaked_share", "lookalikes") and self.column is not None:
            raise ValueError(f"{self.data} takes no column: remove it")
        if self.data == "drift" and self.split != "train":
            raise ValueError("drift compares training rows: it takes no split, so remove it")
        if self.data not in ("rows", "missing_share") and self.split != "train":
            raise ValueError(f"{self.data} compares validation with train: it takes no split, so remove it")
        if self.data != "rows" and (self.max is None or self.min is not None):
            raise ValueError(f"{self.data} takes max, and no min: name max only")
        if self.min is None and self.max is None:
            raise ValueError("the rule asks nothing: name at least one of min, max")
        highest = 1.0 if self.data.endswith("_share") else math.inf
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None and not 0 <= bound <= highest:
                raise ValueError(f"{self.data} lies between 0 and {highest:g}, so {name} cannot be {bound:g}")
        return self


def _kind_of_rule(value: object) -> str:
    data = "data" in value if isinstance(value, Mapping) else isinstance(value, DataRule)
    return DATA_RULE if data else METRIC_RULE


Rule = MetricRule | DataRule


class Approval(Section):
    """What a candidate must fulfil, and what happens while it waits for a person.

    An approval needs every rule to pass; without rules, nothing is approved by rule. `first_model` says who
    decides while there is no champion: the rules that do not compare with one, or a person.
    """

    first_model: Literal["rules_only", "hold"] = "rules_only"
    """While there is no champion: `rules_only` lets the other rules decide, `hold` asks a person."""

    link_expires_after: Duration = timedelta(hours=72)
    """How long a signed link to the review page is valid."""

    remind_after: Duration | None = timedelta(hours=24)
    """Time from the verdict until approvers are reminded of a candidate that waits, at the latest when its
    link is about to expire. Then they are reminded again, with a new link, before each link expires; at most
    once in 23 hours. With `null` they are reminded only before the candidate is rejected."""

    expire_after: Duration | None = timedelta(days=14)
    """Time from the verdict until a candidate that waits is rejected; `null` is never. A reminder that names
    the time comes at least a day before, or `expire_after` - `remind_after` if that is shorter. If the key is
    shortened, that reminder comes first, too."""

    review_page: Literal["decide", "read_only"] = "decide"
    """With `read_only` the page shows the candidate and takes no decision."""

    rules: tuple[
        Annotated[
            Annotated[MetricRule, Tag(METRIC_RULE)] | Annotated[DataRule, Tag(DATA_RULE)],
            Discriminator(_kind_of_rule),
        ],
        ...,
    ] = ()
    """The conditions. An approval needs one that is met, and none that rejects or holds. Without any, every
    candidate is held."""

    @model_serializer(mode="wrap")
    def _null_is_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A dump leaves null out, as it usually means the default. For these keys it does not."""
        dumped: dict[str, Any] = dump(self)
        said = {"remind_after": self.remind_after, "expire_after": self.expire_after}
        return {**dumped, **{name: None for name, value in said.items() if value is None}}

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if not self.link_expires_after:
            raise ValueError("link_expires_after must be longer than 0s")
        if self.expire_after is None:
            return self
        if not self.expire_after:
            raise ValueError(
                "expire_after must be longer than 0s; with null, candidates are never rejected for waiting"
            )
        if self.remind_after is not None and self.expire_after <= self.remind_after:
            raise ValueError("expire_after must be longer than remind_after: a reminder comes first")
        return self


def rules_sha256(approval: Approval) -> str:
    """The identity of a set of rules: the SHA-256 of its canonical JSON, in hexadecimal."""
    dumped = [rule.model_dump(mode="json") for rule in approval.rules]
    rules = {"first_model": approval.first_model, "rules": dumped}
    text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
