"""One logger for all functions. Log texts are constant; facts are keys.

Each line that concerns a model has the key `model`. Each line that concerns an execution, or the model
package that it registered, also has `execution`, its ARN. These two keys join the lines of all functions:
docs/how-to/runbook.md has the queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aws_lambda_powertools import Logger

from retraining.errors import Busy, NotReady

logger = Logger()
"""Its key `service` is the deployment's prefix: template.yaml sets POWERTOOLS_SERVICE_NAME."""

JOINED: Final = ("model", "execution", "package")
"""The keys that say what a line concerns: a model's name, and the ARNs of an execution and a package."""


def about(*, model: str | None = None, execution: str | None = None, package: str | None = None) -> None:
    """From now on, to the end of the `scope`, each line concerns these. None leaves a key as it is."""
    found = {"model": model, "execution": execution, "package": package}
    logger.append_keys(**{name: value for name, value in found.items() if value is not None})


@contextmanager
def scope(
    *, model: str | None = None, execution: str | None = None, package: str | None = None
) -> Iterator[None]:
    """`about`, for the lines of this block. What is said by `about` in it ends with it, too."""
    known = logger.get_current_keys()
    before = {name: known[name] for name in JOINED if name in known}
    about(model=model, execution=execution, package=package)
    try:
        yield
    finally:
        logger.remove_keys(JOINED)
        logger.append_keys(**before)


@contextmanager
def handling(*, swept: bool = False) -> Iterator[None]:
    """A scope for what a function does about one event. Its failure is logged in it, and raised.

    With `swept`, the sweep does all of it that is left undone. Then an event that finds another invocation at
    the same work leaves it to that one, and is no failure. The line in which Lambda itself tells of an error
    has no keys.
    """
    with scope():
        try:
            yield
        except Busy as error:
            if not swept:
                logger.warning("event will be tried again", why=str(error))
                raise
            logger.info("event is left to another invocation", why=str(error))
        except NotReady as error:
            logger.warning("event will be tried again", why=str(error))
            raise
        except Exception:
            logger.exception("event could not be handled")
            raise
