"""Idempotency tokens: a call that is repeated with the same token happens once."""

import json
from collections.abc import Callable

from local.sagemaker.errors import ConflictException
from local.types import Json


class Tokens:
    """The responses of earlier calls, by operation and token. The owner's lock guards them."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[str, Json]] = {}

    def once(
        self, operation: str, request: Json, do: Callable[[], Json], member: str = "ClientRequestToken"
    ) -> Json:
        """`do()`, or its earlier response to an equal `request` with the same token in `member`.

        Raises ConflictException if the earlier request had other parameters. A failed call may be repeated.
        """
        token = request.get(member)
        if token is None:
            return do()
        said = json.dumps({key: value for key, value in request.items() if key != member}, sort_keys=True)
        earlier = self._answers.get((operation, token))
        if earlier is None:
            self._answers[operation, token] = said, (answer := do())
            return answer
        if earlier[0] != said:
            raise ConflictException(
                f"{member} {token} was already used in a {operation} with other parameters"
            )
        return earlier[1]
