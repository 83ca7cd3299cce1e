"""`GET /models/<model>`: a model's history for people without AWS. Its link decides nothing."""

from __future__ import annotations

from typing import Final

from retraining import history
from retraining.aws import pipelines
from retraining.aws.observability import about, logger
from retraining.collaborators import Collaborators
from retraining.config.rules import MetricRule
from retraining.config.schedule_times import times
from retraining.config.schema import ModelConfig
from retraining.facts import keys
from retraining.html.wording import plain
from retraining.links import LinkExpired, LinkInvalid, Links
from retraining.report import versions as drawn
from retraining.review_page.gather import Reader
from retraining.review_page.http import Refused, Request, Response, fields, page
from retraining.review_page.link import NOT_COMPLETE, NOT_VALID, config_of, expired, lifetime
from retraining.review_page.model_view import KnownModel, Started, model_page

MAX_VERSIONS: Final = 15
"""Versions that the page shows: the newest ones, and the champion if it is older."""

MAX_METRICS: Final = 4
"""Metrics that the page shows of a version."""

MAX_EXECUTIONS: Final = 10
"""Executions that the page shows: the newest ones."""


def show_model(request: Request, using: Collaborators, links: Links) -> Response:
    """The page that the link in path and query leads to."""
    token = fields(request.query.encode(errors="replace")).get("t", "")
    model = request.path.rsplit("/", 1)[-1]
    config = _opened(token, model, using, links)
    about(model=model)
    logger.info("model page shown")
    return page(200, "model.html", model=model_page(_gathered(model, config, using)))


def _opened(token: str, model: str, using: Collaborators, links: Links) -> ModelConfig | None:
    """The config of the model, where the token opens its page. A token that does not is refused."""
    if not token:
        raise Refused(*NOT_COMPLETE)
    try:
        if links.subject(token, "model") != model:
            raise LinkInvalid
        config = config_of(model, using, fresh=False)
        links.read(token, lifetime(config), "model")
    except LinkInvalid:
        raise Refused(*NOT_VALID) from None
    except LinkExpired as old:
        way_out = f"The operator of handsoff makes another one: handsoff review --model {model}."
        raise expired(f"the history of {plain(model)}", old, way_out) from None
    return config


def _gathered(model: str, config: ModelConfig | None, using: Collaborators) -> KnownModel:
    """Everything about the model that can be read now."""
    reader, name = Reader(model), using.settings.resource_name(model)
    metrics = _metrics(config) if config else ()
    found = reader.read("versions", lambda: history.versions(using, name, MAX_VERSIONS)) or ()
    return KnownModel(
        model=model,
        config=config,
        state=reader.read("state", lambda: using.states.load(model)[0]),
        pause=reader.read("state", lambda: _pause(model, config, using)),
        metrics=metrics,
        next_start=_next_start(config, using) if config else "",
        versions=found,
        picture=reader.read("picture", lambda: drawn.history(found, metrics[0])) if metrics else None,
        executions=reader.read("executions", lambda: _executions(name, using)) or (),
        unknown=reader.unknown,
    )


def _metrics(config: ModelConfig) -> tuple[str, ...]:
    """The metrics that the page shows: the one that tells the history, then the rules' others."""
    asked = (rule.metric for rule in config.approval.rules if isinstance(rule, MetricRule))
    names = dict.fromkeys((history.main_metric(config.task, config.approval), *asked))
    return tuple(names)[:MAX_METRICS]


def _executions(pipeline: str, using: Collaborators) -> list[Started]:
    """The newest executions, newest first, with what the ledger knows of each."""
    return [
        Started(
            identity=item["PipelineExecutionArn"].rsplit("/", 1)[-1],
            status=item["PipelineExecutionStatus"],
            at=item["StartTime"],
            fact=using.ledger.get(keys.execution(item["PipelineExecutionArn"])),
        )
        for item in pipelines.newest(using.sagemaker, pipeline)[:MAX_EXECUTIONS]
    ]


def _next_start(config: ModelConfig, using: Collaborators) -> str:
    """When the schedule asks next; "" where that is not known: a rate counts from when it was made."""
    retrain = config.retrain
    at = next(times(retrain.schedule or "", retrain.schedule_timezone, using.clock()), None)
    return f"{at:%d %b %Y, %H:%M} {at.tzname()}" if at else ""


def _pause(model: str, config: ModelConfig | None, using: Collaborators) -> str:
    """Why nothing starts; "" if nothing holds starts back."""
    known = using.ledger.get(keys.paused(model))
    if known is not None and known.stands:
        return known.text
    return "by retrain.paused in its configuration" if config and config.retrain.paused else ""
