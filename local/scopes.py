"""Which service serves a signed request: it must be the one that the signature is for.

Imports ministack, so only a server imports this, after its environment is set.
"""

import re
from dataclasses import dataclass
from typing import Final

from ministack import app as ministack
from ministack.core.router import detect_service

OTHER_SCOPES: Final = {
    "cloudcontrol": "cloudcontrolapi",
    "documentdb": "rds",
    "dynamodbstreams": "dynamodb",
}
"""Services of ministack whose requests are signed for a service of another name."""

_PATHS: Final = (
    (re.compile(r"/iceberg"), ("glue", "s3tables")),
    (re.compile(r"/v20180820/"), ("s3",)),
    (re.compile(r"/v2/email"), ("ses",)),
    (re.compile(r"/WriteGetObjectResponse"), ("s3-object-lambda",)),
    (re.compile(r"/(?:Execute|BatchExecute|\w+Transaction)$"), ("rds-data",)),
    (re.compile(r"/_aws/lambda-url/"), ("lambda",)),
    (re.compile(r"/_(?:ministack|localstack|aws|alb)/"), ()),
)
"""Paths that ministack serves before it looks who else serves a request, and the services they belong to.

The last are ministack's own, such as one that deletes everything. No AWS service has them.
"""


@dataclass(frozen=True)
class Asked:
    """A request: its method, path without encoding, headers by lower-case name, parameters and body."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]
    body: bytes

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The parameters of the query and, if the body is a form, those of the body."""
        found: dict[str, list[str]] = ministack._routing_params(
            self.method, self.path, self.headers, self.body, self.query
        )
        return found

    @property
    def names_action(self) -> bool:
        """Whether a parameter says what to do, as in services of the query protocol."""
        return "Action" in self.parameters


def serves(service: str, asked: Asked) -> bool:
    """Whether `service`, as a signature names it, is the one to which ministack gives this request."""
    for pattern, services in _PATHS:
        if pattern.match(asked.path):
            return service in services
    if asked.headers.get("x-amz-target", "").startswith("SageMaker."):
        return service == "sagemaker"
    named = {"authorization": f"AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/{service}/aws4_request"}
    if service != "s3" and detect_service("GET", "/", named, {}) == "s3":
        return False  # no service that ministack knows: it would choose by an action or a path
    found = detect_service(asked.method, asked.path, asked.headers, asked.parameters)
    signed_for = detect_service(asked.method, asked.path, named, {})
    return bool(found == signed_for or OTHER_SCOPES.get(found) == service)


def is_form(headers: dict[str, str]) -> bool:
    """Whether the body is a form, whose `Action` may choose the service."""
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
