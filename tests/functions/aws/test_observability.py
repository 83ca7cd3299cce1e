"""Log lines are joined by model and execution; a scope leaves no key behind."""

from __future__ import annotations

import pytest

from retraining.aws.observability import about, handling, logger, scope
from retraining.errors import Busy, NotReady
from tests.functions.logged import Logged

EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e0"


def joined(logged: Logged) -> list[tuple[str, str | None, str | None]]:
    """Message, model and execution of each line."""
    return [(line["message"], line.get("model"), line.get("execution")) for line in logged.lines()]


def test_scope_gives_its_keys_to_its_lines_and_back_what_was_before(
    logged: Logged,
) -> None:
    with scope(model="titanic"):
        logger.info("turn")
        with scope(model="wine"):
            about(execution=EXECUTION)
            logger.info("inner")
        logger.info("turn again")
    logger.info("outside")
    assert joined(logged) == [
        ("turn", "titanic", None),
        ("inner", "wine", EXECUTION),
        ("turn again", "titanic", None),
        ("outside", None, None),
    ]


def test_about_leaves_what_is_not_known_as_it_is(logged: Logged) -> None:
    with scope(model="titanic", execution=EXECUTION):
        about(model=None, execution=None)
        logger.info("line")
    assert joined(logged) == [("line", "titanic", EXECUTION)]


def fail(error: Exception) -> None:
    """Handle an event about an execution of the Titanic; it fails."""
    with handling():
        about(model="titanic", execution=EXECUTION)
        raise error


def test_handling_logs_a_failure_with_its_keys_and_raises_it(logged: Logged) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    assert joined(logged) == [("event could not be handled", "titanic", EXECUTION)]


def test_handling_calls_a_busy_resource_no_error(logged: Logged) -> None:
    with pytest.raises(NotReady):
        fail(NotReady("in use"))
    assert joined(logged) == [("event will be tried again", "titanic", EXECUTION)]


def test_handling_leaves_work_of_another_invocation_to_it_where_the_sweep_does_what_is_left(
    logged: Logged,
) -> None:
    with handling(swept=True):
        about(model="titanic", execution=EXECUTION)
        raise Busy("notification#1 is being done by another invocation")
    assert joined(logged) == [("event is left to another invocation", "titanic", EXECUTION)]


@pytest.mark.parametrize("error", [NotReady("in use"), ZeroDivisionError()])
def test_handling_raises_every_other_failure_although_there_is_a_sweep(error: Exception) -> None:
    with pytest.raises(type(error)), handling(swept=True):
        raise error
