"""handsoff.yaml as frozen models: which models a deployment retrains, when, and how.

A file that does not validate is refused whole. The error names each wrong key and what was expected there.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from retraining.config.account import Aws
from retraining.config.data import OF_CHANNELS, Data
from retraining.config.doubts import doubts
from retraining.config.evidence import EvidenceProof
from retraining.config.fields import (
    ACCEPTED_BEFORE,
    Class,
    Column,
    Form,
    Problem,
    Section,
    class_value,
    named_twice,
)
from retraining.config.problems import Where, explain, explained
from retraining.config.retrain import Retrain
from retraining.config.rules import Approval, DataRule, MetricRule
from retraining.config.tasks import ESTIMATORS, METRICS, NEED_PROBABILITIES, Task
from retraining.config.training import Inference, Training
from retraining.config.tuning import tuning_problems
from retraining.errors import ConfigError

CONFIG_LIMIT: Final = 256 * 1024
"""Bytes of a model's configuration as JSON. Every function that works for the model reads it each minute."""

NAME_LIMIT: Final = 63
"""Characters of the name of a SageMaker pipeline and of a model package group: `<prefix>-<model>`."""

BINARY: Final = ("0", "1")
"""The classes of a binary target whose classes are not configured."""

MAX_CLASSES: Final = 100
"""The largest number of classes of a target."""


class Features(Section):
    """The columns that the model sees, by how they are read. Other columns of a file are ignored."""

    numeric: tuple[Column, ...] = ()
    """Columns of numbers."""

    categorical: tuple[Column, ...] = ()
    """Columns of categories, as text."""

    boolean: tuple[Column, ...] = ()
    """Columns of true or false, yes or no, t or f, y or n, 1 or 0, in any case."""

    date: tuple[Column, ...] = ()
    """Columns of dates or times, as `data.date` reads them. A built-in estimator sees the year, the month,
    the day of the week, and the days since 1970-01-01 in UTC, with the time of day as a fraction; own code
    sees them as they landed. Drift is not measured of them, as later rows have later dates by nature."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.numeric, *self.categorical, *self.boolean, *self.date)

    def problems(self) -> Iterator[Problem]:
        """No column, or a column that is named twice."""
        if not self.names:
            yield (), "no column is named: name at least one numeric, categorical, boolean or date column"
        if twice := named_twice(self.names):
            yield (), f"{twice} is named twice: name each column once"


Channel = Annotated[str, Form(r"#?[^\s#@,<>&]{1,80}", "a channel's name, such as #ml-approvals, or its id")]
SlackUser = Annotated[str, Form(r"[UW][A-Z0-9]{2,30}", "a Slack user's id, such as U0123ABCD")]


class Approvers(Section):
    """What approvers are told: where in Slack, who may decide there, and whether values of rows are shown."""

    slack_channel: Channel | None = None
    """The channel for messages about this model."""

    slack_users: tuple[SlackUser, ...] = ()
    """Ids of the Slack users who may decide there, such as U0123ABCD. Names are not unique, ids are."""

    show_values: bool = False
    """Whether messages, logs and evidence may quote values of rows. By default they name file, row, column
    and what is wrong there."""


class ModelConfig(Section):
    """The configuration of one model."""

    task: Task
    """What the model does."""

    target: Column
    """The column that is predicted."""

    classes: tuple[Class, ...] = ()
    """The values of the target, words or numbers; `["0", "1"]` for a binary target if left out. Of two
    classes the second is the positive one: precision, recall and probabilities are about it. Write
    `["no", "yes"]` in quotes: YAML reads `[no, yes]` as false and true, which any word for a boolean
    matches."""

    features: Features
    data: Data = Data.model_construct()
    retrain: Retrain = Retrain.model_construct()
    training: Training = Training.model_construct()
    inference: Inference = Inference.model_construct()
    approval: Approval = Approval.model_construct()
    approvers: Approvers = Approvers.model_construct()

    @model_validator(mode="before")
    @classmethod
    def _zero_and_one(cls, values: Any) -> Any:
        """The classes of a binary target are BINARY if they are not configured."""
        if isinstance(values, dict) and values.get("task") == "binary_classification":
            return {"classes": BINARY, **values}
        return values

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a file must have, each once: target, features, and those that data names."""
        key = self.data.cdc.key if self.data.cdc else ()
        return tuple(dict.fromkeys((self.target, *self.features.names, *key, *self._about_rows)))

    @property
    def _about_rows(self) -> tuple[str, ...]:
        return tuple(name for names in self.data.about_rows.values() for name in names)

    def problems(self) -> Iterator[Problem]:
        """Keys of the model that do not fit together."""
        yield from self._column_problems()
        yield from self._class_problems()
        yield from self._own_code_problems()
        if self.training.estimator and self.training.estimator not in ESTIMATORS[self.task]:
            known = ", ".join(sorted(ESTIMATORS[self.task]))
            said = f"the estimator {self.training.estimator} is not for {self.task}: choose one of {known}"
            yield ("training", "estimator"), said
        elif self.training.estimator:
            yield from tuning_problems(self.training, self.task, self.training.estimator, self.classes)
        for number, rule in enumerate(self.approval.rules):
            if isinstance(rule, MetricRule):
                problem = rule.problem_in(self.task) or self._label_problem(rule) or self._slice_problem(rule)
            else:
                problem = self._column_problem(rule)
            if problem:
                yield ("approval", "rules", number), problem

    def doubts(self) -> Iterator[Problem]:
        """Rules that are probably not what was meant."""
        yield from ((("approval", *path), said) for path, said in doubts(self.approval))

    def _column_problems(self) -> Iterator[Problem]:
        if self.target in self.features.names:
            yield ("target",), f"the target {self.target} is also a feature: remove it from features"
        if self.data.weight in self.features.names:
            said = f"the weight {self.data.weight} is also a feature: remove it from features"
            yield ("data", "weight"), said
        for key, names in self.data.about_rows.items():
            if self.target in names:
                yield ("data", key), f"data.{key} names the target {self.target}: name other columns"
        needed = (self.target, *self.features.names, *self._about_rows)
        if missing := [name for name in needed if self.data.header and name not in self.data.header]:
            said = f"data.header does not name {', '.join(missing)}: name every column of the files"
            yield ("data", "header"), said
        if wrong := [name for name in self.data.new_categories if name not in self.features.categorical]:
            said = f"data.new_categories names {', '.join(wrong)}: name categorical features in it"
            yield ("data", "new_categories"), said

    def _own_code_problems(self) -> Iterator[Problem]:
        if self.training.own_code:
            if problem := self.inference.problem_in(self.task):
                yield ("inference", "returns"), problem
            if problem := self.inference.script_problem(self.training.entry_point):
                yield ("inference", "entry_point"), problem
            return
        if self.inference != ModelConfig.model_fields["inference"].default:
            yield ("inference",), "inference is for own code: remove it, or name training.source_dir"
        for key in OF_CHANNELS:
            if getattr(self.data, key) != Data.model_fields[key].default:
                said = f"data.{key} is for own code: remove it, as estimators see the features"
                yield ("data", key), said

    def _class_problems(self) -> Iterator[Problem]:
        names, at = [class_value(name) for name in self.classes], ("classes",)
        if twice := named_twice(names):
            yield at, f"the class {twice} is named twice: name each class once"
        if self.task == "regression" and names:
            yield at, "regression takes no classes: remove them"
        if self.task == "binary_classification" and len(names) != 2:
            yield at, "binary_classification takes two classes, the second being the positive one"
        if self.task == "multiclass_classification" and not 3 <= len(names) <= MAX_CLASSES:
            yield (
                at,
                f"multiclass_classification needs its classes named, from 3 to {MAX_CLASSES}: "
                "classes: [first, second, third]",
            )

    def _label_problem(self, rule: MetricRule) -> str | None:
        """Why the metric of the rule cannot be measured from what the model returns."""
        if self.inference.returns != "label" or rule.metric not in NEED_PROBABILITIES:
            return None
        known = [name for name in METRICS[self.task] if name not in NEED_PROBABILITIES]
        return (
            f"{rule.metric} needs probabilities, and inference.returns is label: choose one of "
            f"{', '.join(known)}, or return probabilities"
        )

    def _slice_problem(self, rule: MetricRule) -> str | None:
        """Why the slice of the rule cannot be measured with these features."""
        for column, value in (rule.slice or {}).items():
            if column not in (*self.features.categorical, *self.features.boolean):
                return f"the slice column {column} must be a categorical or boolean feature"
            if column in self.features.boolean and value not in ("true", "false"):
                return f"the slice column {column} is boolean: expected true or false, not {value}"
        return None

    def _column_problem(self, rule: DataRule) -> str | None:
        """Why the column of the rule is not measured."""
        if rule.column is not None and rule.column not in self.features.names:
            return f"the column {rule.column} is not a feature: name one of {', '.join(self.features.names)}"
        if rule.data == "unknown_share" and rule.column and rule.column not in self.features.categorical:
            return f"the column {rule.column} is not categorical: unknown_share counts categories"
        if rule.data == "drift" and rule.column in self.features.date:
            return f"the column {rule.column} is a date: drift is not measured of dates, name another feature"
        if rule.against == "earlier" and self.data.date is None:
            return "against: earlier needs dates: name the column with them in data.date"
        return None


Prefix = Annotated[
    str, Form(r"[a-z][a-z0-9]{0,19}", "at most 20 lowercase letters and digits, a letter first")
]
ModelName = Annotated[
    str, Form(r"[a-z0-9]+(-[a-z0-9]+)*", "words of lowercase letters and digits, joined by hyphens")
]


class Config(Section):
    """The whole of handsoff.yaml: the names of a deployment's resources begin with `prefix`."""

    prefix: Prefix = "handsoff"
    """Begins the name of everything in this deployment. A second deployment needs another one."""

    aws: Aws = Aws.model_construct()
    evidence: EvidenceProof = EvidenceProof.model_construct()
    models: dict[ModelName, ModelConfig] = Field(min_length=1)
    """The models by name. A name is words of `[a-z0-9]` joined by hyphens; `<prefix>-<model>` has at most 63
    characters."""

    def problems(self) -> Iterator[Problem]:
        """Names and configurations that are too long for AWS."""
        for name, model in self.models.items():
            if len(f"{self.prefix}-{name}") > NAME_LIMIT:
                yield (
                    ("models", name),
                    f"the model name {name} is too long: with the prefix and a hyphen at most {NAME_LIMIT} "
                    "characters",
                )
            if (size := len(dump_model(model).encode())) > CONFIG_LIMIT:
                yield (
                    ("models", name),
                    f"the configuration of {name} is {size:,} bytes long as JSON, at most {CONFIG_LIMIT:,} "
                    "are stored: name fewer columns, or shorten their names",
                )


def dump_model(model: ModelConfig) -> str:
    """One model's configuration as JSON, without values that equal their defaults.

    Functions of an earlier version refuse keys that were added since. They run until an upgrade has updated
    them, and again after it is rolled back. config/storing.py says where the JSON is stored.
    """
    return model.model_dump_json(exclude_none=True, exclude_defaults=True)


@lru_cache(maxsize=32)  # functions read the same text many times in a minute; what comes of it is immutable
def parse_model(text: str, *, source: str) -> ModelConfig:
    """Read what `dump_model` wrote. Raises ConfigError, which names `source` and each wrong key."""
    try:
        return ModelConfig.model_validate_json(text, context=ACCEPTED_BEFORE)
    except ValidationError as error:
        raise ConfigError(explain(error, source, root=ModelConfig)) from None


def parse_config(
    values: object, *, source: str, context: str | None = None, where: Where | None = None
) -> Config:
    """Validate handsoff.yaml, read from YAML. Raises ConfigError, which names `source` and each wrong key.

    `context` is ACCEPTED_BEFORE where the file is not to be published, and None otherwise. `where` finds the
    line of a key.
    """
    try:
        return Config.model_validate(values, context=context)
    except ValidationError as error:
        from retraining.config.all_problems import find_all  # functions read files that were found valid

        found = find_all(error, values, Config, context)
        raise ConfigError(explained(found, source, where)) from None
