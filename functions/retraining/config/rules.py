"""The rules of handsoff.yaml: what a candidate must fulfil, and what happens while it waits for a person."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from retraining.config.fields import (
    DATA_RULE,
    METRIC_RULE,
    Clusters,
    Column,
    Confidence,
    Duration,
    Flag,
    Leap,
    Limit,
    Margin,
    Problem,
    Section,
    Value,
    unexpected,
)
from retraining.config.tasks import (
    LOWER_IS_BETTER,
    METRICS,
    NEITHER_IS_BETTER,
    NO_INTERVAL,
    NOT_COMPARED,
    Task,
)
from retraining.config.versus_anchor import VersusAnchor

OnFail = Literal["reject", "hold", "warn"]
"""What a rule that fails does to the candidate."""

COMPARED_ROWS: Final = 30
"""The number of clusters from which the standard error of a paired difference, and so its bound, is reliable.

Rows that depend on each other are one cluster (docs/reference/rules.md).
"""

CLASS_ROWS: Final = 10
"""The number of clusters of each class from which a metric that depends on classes is reliable.

With two positive rows, 6 in 100 models that know nothing seemed better than guessing at 99 %
(bench/coverage.py).
"""

SLICE_ROWS: Final = 10
"""The number of clusters in a slice from which a limit is judged there; `min_samples` may name another."""

CONFIDENCES: Final = (0.8, 0.9, 0.95, 0.975, 0.99)
"""The confidences for which evaluation.json has the bounds of a metric."""


def _known(value: float) -> float:
    """One of CONFIDENCES."""
    if value not in CONFIDENCES:
        raise unexpected(f"one of {', '.join(f'{item:g}' for item in CONFIDENCES)}")
    return value


class VersusChampion(Section):
    """How the candidate must compare with the champion on the same validation rows.

    `max_loss` asks for non-inferiority: the candidate may be worse by at most this much. `min_gain` asks
    for a proven gain. Both are compared with the one-sided bounds of the paired gain at `confidence`, never
    with the bare difference. With the bounds gain ± t(confidence) · standard error, the rule is met if the
    lower one is at least −max_loss, or min_gain; the candidate is worse if the upper one is below it; else
    the rule is undecided, which holds.

    They are in units of the metric. If `relative` is true, they are shares of the champion's absolute value.
    The champion's value is an estimate, too: the bounds are then of candidate − (1 ∓ share) · champion and
    contain the uncertainty of both (docs/reference/rules.md).
    """

    max_loss: Margin | None = None
    """Non-inferiority: the candidate may be worse by at most this much. Either this or `min_gain`."""

    min_gain: Margin | None = None
    """A proven gain: the candidate must be better by at least this much."""

    max_gain: Leap | None = None
    """A candidate that is measured to be better by more than this much is held: such a leap often comes from
    validation rows or the target among the features. It is compared with the estimate, and never rejects."""

    relative: Flag = False
    """They are shares of the champion's absolute value, instead of units of the metric."""

    confidence: Confidence = 0.95
    """Confidence of each one-sided bound of the gain, with which `max_loss` and `min_gain` are compared."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.max_loss is not None and self.min_gain is not None:
            raise ValueError("name either max_loss or min_gain, not both")
        shares = [share for share in (self.max_loss, self.min_gain, self.max_gain) if share is not None]
        if not shares:
            raise ValueError("name either max_loss or min_gain, or max_gain")
        if self.relative and (share := max(shares)) >= 1:
            raise ValueError(
                f"with relative: true, {share:g} means {100 * share:g} % of the champion's value; "
                f"write {share / 100:g} for {share:g} %"
            )
        if self.max_gain is not None and (self.min_gain or 0.0) > self.max_gain:
            raise ValueError(f"min_gain {self.min_gain:g} is above max_gain {self.max_gain:g}")
        return self

    @property
    def asks(self) -> tuple[Literal["max_loss", "min_gain"], float] | None:
        """The key that is set, max_loss or min_gain, and its value; None if only max_gain is."""
        if self.min_gain is not None:
            return "min_gain", self.min_gain
        return None if self.max_loss is None else ("max_loss", self.max_loss)

    @property
    def largest(self) -> float:
        """The largest margin that is set."""
        return max(self.max_loss or 0.0, self.min_gain or 0.0, self.max_gain or 0.0)


class _Rule(Section):
    """What both kinds of rules have: limits, and what happens to a candidate outside them."""

    min: Limit | None = None
    """The lowest value that passes."""

    max: Limit | None = None
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

    confidence: Annotated[Confidence, AfterValidator(_known)] | None = None
    """With it, `min` is compared with the lower and `max` with the upper one-sided bound of the value at this
    confidence: one of 0.8, 0.9, 0.95, 0.975, 0.99. If the interval contains the limit, the rule is undecided,
    which holds. Without it, the estimate is compared."""

    versus_champion: VersusChampion | None = None
    """How the candidate compares with the champion on the same rows."""

    versus_anchor: VersusAnchor | None = None
    """How the candidate compares with the model's anchor on the same rows. It may stand beside
    `versus_champion`."""

    slice: dict[Column, Value] | None = Field(None, min_length=1)
    """Only rows with these values in these categorical or boolean columns are looked at."""

    min_samples: Clusters | None = None
    """Clusters of rows below which the rule cannot be judged, so that it holds the candidate. Without it, 30
    for a comparison, which it can only raise, 10 for a limit on a slice, and 1 for a limit on all rows."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if (self.min, self.max, self.versus_champion, self.versus_anchor) == (None,) * 4:
            asks = "min, max, versus_champion, versus_anchor"
            raise ValueError(f"the rule asks nothing: name at least one of {asks}")
        if self.confidence is not None and self.min is None and self.max is None:
            raise ValueError(
                "confidence is about min and max, and the rule has neither: write it into versus_champion"
            )
        return self

    @property
    def rows_needed(self) -> int:
        """The clusters that the rule needs: `min_samples`, and COMPARED_ROWS at least for a comparison.

        Without `min_samples` a slice needs SLICE_ROWS. All rows are bounded by the rule about guessing.
        """
        usual = 1 if self.slice is None else SLICE_ROWS
        return max(self.min_samples or usual, COMPARED_ROWS if self.compares else 1)

    @property
    def compares(self) -> bool:
        """Whether the rule compares the candidate with another model."""
        return self.versus_champion is not None or self.versus_anchor is not None

    @property
    def asks_for_quality(self) -> bool:
        """Whether some model could be too bad for the rule. If not, it only asks what is too good."""
        limit = self.max if self.metric in LOWER_IS_BETTER else self.min
        if self.metric in NEITHER_IS_BETTER:
            limit = self.min if self.max is None else self.max
        compares = self.versus_anchor or (self.versus_champion and self.versus_champion.asks)
        return limit is not None or bool(compares)

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
        if self.confidence is not None and self.metric in NO_INTERVAL:
            return f"{self.metric} has no reliable interval, so it takes no confidence: remove it"
        margins = [versus.largest for versus in (self.versus_champion,) if versus and not versus.relative]
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
    stability index of a feature or the target, between the rows that `against` names; 0 is none, 0.1 is
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

    against: Literal["champion", "train", "earlier"] | None = None
    """Only for `drift`: from which rows to which. `champion`: from the champion's training rows to the
    candidate's. `train`: from the training rows to the validation rows. `earlier`: from the earlier training
    rows to the newest fifth of them by `data.date`. Without it, each of them that is measured counts; the
    last two, and the target unless `of` names it, then hold at most."""

    of: Literal["features", "target"] | None = None
    """Only for `drift`: whether features or the target are looked at. Without it, both are."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.data in ("rows", "leaked_share", "lookalikes") and self.column is not None:
            raise ValueError(f"{self.data} takes no column: remove it")
        if self.data == "drift" and self.split != "train":
            raise ValueError("drift takes no split: write against: train for that of the validation rows")
        if self.data != "drift" and (self.against or self.of):
            raise ValueError(f"{self.data} takes neither against nor of: they are keys of drift")
        if self.of == "target" and self.column is not None:
            raise ValueError("with of: target the rule takes no column: remove it")
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

    worse_slice: Literal["hold", "warn"] = "hold"
    """What becomes of a candidate that is shown to be worse than the champion, by more than 5 % of its mean
    loss, on the rows of some category or range of a feature, named by a rule or not: `hold` asks a person,
    `warn` only adds a reason."""

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

    @property
    def asks_anchor(self) -> bool:
        """Whether a rule compares with the anchor."""
        return any(isinstance(rule, MetricRule) and rule.versus_anchor is not None for rule in self.rules)

    def problems(self) -> Iterator[Problem]:
        """Times that are too short, or out of order."""
        if not self.link_expires_after:
            yield ("link_expires_after",), "link_expires_after must be longer than 0s"
        if self.expire_after is not None and not self.expire_after:
            yield (
                ("expire_after",),
                "expire_after must be longer than 0s; with null, candidates are never rejected for waiting",
            )
        elif self.expire_after and self.remind_after is not None and self.expire_after <= self.remind_after:
            said = "expire_after must be longer than remind_after: a reminder comes first"
            yield ("expire_after",), said


def rules_sha256(approval: Approval) -> str:
    """The identity of a set of rules: the SHA-256 of its canonical JSON, in hexadecimal.

    Values of rules that equal their defaults do not count, so that a key that is added later changes nothing.
    """
    rules: dict[str, object] = {"first_model": approval.first_model}
    if approval.worse_slice != "hold":
        rules["worse_slice"] = approval.worse_slice
    rules["rules"] = [rule.model_dump(mode="json", exclude_defaults=True) for rule in approval.rules]
    text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
