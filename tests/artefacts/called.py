"""Makes each call of the layer's operations with the botocore on the path: python called.py OPERATIONS

Prints as JSON what botocore would send, and the error of an answer that refuses. With one more argument the
clients are made by the session of functions/; else it imports nothing of the project.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import botocore.session
from botocore import xform_name
from botocore.awsrequest import AWSResponse, HeadersDict

TIMED: Final = {"x-amz-date", "authorization", "user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
"""Headers that differ from call to call."""

LEFT_OUT: Final = {"SecretBinary", "Tagging", "CopySourceSSECustomerKey", "SSECustomerKey", "EndpointId"}
"""Arguments that exclude others, or need another package."""

VALUES: Final = {"boolean": True, "timestamp": 1_700_000_000, "blob": b"bytes", "float": 1.0, "double": 1.0}


class Refusal:
    """The body of the answer."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The whole body."""
        yield b'{"__type":"ResourceNotFoundException","message":"gone"}'


def value(shape: Any, depth: int = 0) -> Any:
    """A valid value of a shape: all members of a structure, one element of a list."""
    match shape.type_name:
        case "structure":
            names = shape.required_members if depth > 2 else shape.members
            return {name: value(shape.members[name], depth + 1) for name in names}
        case "list":
            return [value(shape.member, depth + 1)]
        case "map":
            return {value(shape.key, depth + 1): value(shape.value, depth + 1)}
        case "string":
            return shape.enum[0] if getattr(shape, "enum", None) else "bucket-name-" + "x" * 24
    return VALUES.get(shape.type_name, 1)


def called(client: Any, model: Any) -> list[list[object]]:
    """The request of one call, and the error of its answer."""
    sent: list[list[object]] = []

    def send(request: Any, **_: object) -> AWSResponse:
        headers = [(name.lower(), str(text)) for name, text in request.headers.items()]
        body = request.body.read() if hasattr(request.body, "read") else request.body
        sent.append(
            [request.method, request.url, sorted(one for one in headers if one[0] not in TIMED), str(body)]
        )
        return AWSResponse(request.url, 404, HeadersDict(), Refusal())  # type: ignore[arg-type]

    given = {
        name: value(member)
        for name, member in model.input_shape.members.items()
        if name in model.input_shape.required_members
        or (name not in LEFT_OUT and member.type_name != "structure")
    }
    client.meta.events.register_first("before-send", send)
    try:
        getattr(client, xform_name(model.name))(**given)
    except Exception as error:
        told = [type(error).__name__, str(error)]
    else:
        told = ["no error"]
    client.meta.events.unregister("before-send", send)
    return [*sent[:1], list(told)]


def main(operations: dict[str, list[str]], *by: str) -> dict[str, list[list[object]]]:
    """What came of each operation, by service and name."""
    uuid.uuid4 = lambda: uuid.UUID(int=1)  # the tokens that botocore makes
    session = import_module("retraining.aws.clients")._session() if by else botocore.session.Session()
    found = {}
    for service, names in operations.items():
        client = session.create_client(service, region_name="eu-west-1")
        for name in names:
            found[f"{service}.{name}"] = called(client, client.meta.service_model.operation_model(name))
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), *sys.argv[2:])))
