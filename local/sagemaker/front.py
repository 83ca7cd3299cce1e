"""SageMaker's protocol (AWS JSON 1.1) over ASGI: checks requests, calls operations, words errors."""

import asyncio
import inspect
import json
import logging
import os
import queue
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from local.account import administrator
from local.asgi import read_body, respond
from local.images.docker import Docker
from local.images.pythons import Pythons
from local.sagemaker import events
from local.sagemaker.errors import InternalFailure, SerializationException, ServiceError, ValidationException
from local.sagemaker.jobs.api import Jobs
from local.sagemaker.jobs.runner import Runner
from local.sagemaker.permissions import Authority, Call, Everybody, needed
from local.sagemaker.pipelines.api import Pipelines, ReadObject
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.moto import Moto
from local.sagemaker.protocol.tags import Tags
from local.sagemaker.registry import Registry
from local.types import App, Json, Receive, Scope, Send

Operation = Callable[[Json], Json]
"""An operation of SageMaker: its request, its response."""

Admit = Callable[[Scope, bytes, Iterable[Call]], tuple[int, bytes] | None]
"""Decides whether a caller may make a request: its ASGI scope, its body and the calls that it stands for.

Returns None, or the (HTTP status, body) of the refusal.
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SageMaker:
    """The ASGI app, and a function that ends all jobs."""

    app: App
    close: Callable[[], None]


def sagemaker(
    folder: Path,
    *,
    endpoint: str,
    account: str,
    region: str,
    authority: Authority | None = None,
    admit: Admit | None = None,
    quotas: Mapping[str, int] | None = None,
    pythons: Pythons | None = None,
) -> SageMaker:
    """SageMaker, whose jobs run below `folder` and call AWS at `endpoint`. `quotas` are those of Jobs.

    `pythons` have the packages of the jobs' images. `authority` decides what roles may do, `admit` what
    callers may do. Without them everything is allowed.
    """
    authority = authority or Everybody()
    pythons = pythons or Pythons(folder / "python")
    outbox = Outbox(events.to_eventbridge(account, region))
    jobs = Jobs(
        account=account,
        region=region,
        run=Runner(folder, endpoint, region, pythons, Docker(pythons.environments.variables), authority),
        emit=outbox,
        slots=max(2, os.cpu_count() or 2),
        quotas=quotas,
    )
    registry = Registry(account=account, region=region, emit=outbox)
    pipelines = Pipelines(
        account=account,
        region=region,
        jobs=jobs,
        registry=registry,
        emit=outbox,
        read_object=from_s3(endpoint, region),
        authority=authority,
    )
    close = in_turn(pipelines.close, partial(jobs.close, timeout=8), pythons.close, outbox.close)
    front = Front(pipelines, jobs, registry, Moto(region), admit=admit, account=account, region=region)
    return SageMaker(front, close)


def in_turn(*ends: Callable[[], None]) -> Callable[[], None]:
    """A function that calls these one after the other, each also where one before it has failed."""
    stack = ExitStack()  # calls them from the last to the first
    for end in reversed(ends):
        stack.callback(end)
    return stack.close


class Outbox:
    """Emits events in order, in a thread of its own, so that no caller waits for EventBridge under a lock."""

    def __init__(self, emit: events.Emit) -> None:
        self._emit = emit
        self._waiting: queue.SimpleQueue[tuple[str, list[str], Json] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="sagemaker-events", daemon=True)
        self._thread.start()

    def __call__(self, detail_type: str, resources: list[str], detail: Json) -> None:
        self._waiting.put((detail_type, resources, detail))

    def close(self) -> None:
        """Send the events that wait, for at most two seconds."""
        self._waiting.put(None)
        self._thread.join(2)

    def _send(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._emit(*item)
            except Exception:
                log.exception("could not send the event %s", item[0])


class Front:
    """An ASGI app that answers the requests to SageMaker of one account and region."""

    def __init__(
        self,
        pipelines: Pipelines,
        jobs: Jobs,
        registry: Registry,
        moto: Moto,
        *,
        admit: Admit | None = None,
        account: str = "",
        region: str = "",
    ) -> None:
        """`admit` is called before each operation. `account` and `region` are those of its ARNs."""
        self._admit, self._scope = admit, {"account": account, "region": region}
        self._operations = dict(_operations(pipelines, jobs, registry))
        self._moto = moto
        self._tags = Tags()
        self._is_here: Callable[[str], bool] = lambda arn: pipelines.has(arn) or registry.has(arn)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        status, answer = await asyncio.to_thread(self._answer, scope, headers, body)
        named = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
        await respond(send, status, named, answer)

    def _answer(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return self._refusal(scope, headers, body) or self.answer(headers, body)

    def _refusal(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes] | None:
        """The answer that refuses the request, None if the caller may make it."""
        if self._admit is None:
            return None
        try:
            request = _request(body)
        except ServiceError:
            request = {}  # `answer` refuses the body, after the caller is admitted
        name = headers["x-amz-target"].partition(".")[2]
        return self._admit(scope, body, list(needed(name, request, **self._scope)))

    def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The (HTTP status, body) of the response to a request. `headers` have lower-case names."""
        name = headers["x-amz-target"].partition(".")[2]
        try:
            request = _request(body)
            if name in validation.service_model().operation_names:
                validation.validate(validation.input_shape(name), request)
            operation = self._operation(name, request)
            if operation is None:
                return self._moto(name, headers, body)
            return 200, json.dumps(operation(request), default=_timestamp).encode()
        except ServiceError as error:
            fault = error
        except Exception:
            log.exception("internal error in %s", name)
            fault = InternalFailure("We encountered an internal error. Please try again.")
        return fault.status, json.dumps({"__type": fault.code, "message": str(fault)}).encode()

    def _operation(self, name: str, request: Json) -> Operation | None:
        """What answers this request here. None leaves it to moto."""
        if name in ("AddTags", "ListTags", "DeleteTags"):
            on_tags: Operation = getattr(self._tags, _snake(name))
            return on_tags if self._is_here(request["ResourceArn"]) else None
        operation = self._operations.get(name)
        if operation is None or not request.get("Tags"):
            return operation
        if "Tags" not in validation.input_shape(name).members:  # AWS ignores what an operation does not know
            return operation

        def tagged(request: Json) -> Json:
            answer: Json = operation(request)
            arn = next(value for key, value in answer.items() if key.endswith("Arn"))
            self._tags.add_tags({"ResourceArn": arn, "Tags": request["Tags"]})
            return answer

        return tagged


def _operations(*services: object) -> Iterable[tuple[str, Operation]]:
    """The methods of `services` that implement operations of SageMaker, by operation name."""
    names = {_snake(name): name for name in validation.service_model().operation_names}
    for service in services:
        for name, method in inspect.getmembers(service, inspect.ismethod):
            if name in names:
                yield names[name], method


def from_s3(endpoint: str, region: str) -> ReadObject:
    """A function that reads pipeline definitions from S3 at `endpoint`."""

    def read(bucket: str, key: str, version: str | None) -> str:
        session = boto3.Session(*administrator(), region_name=region)
        client: Any = session.client(
            "s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"})
        )
        try:
            more = {"VersionId": version} if version else {}
            text: str = client.get_object(Bucket=bucket, Key=key, **more)["Body"].read().decode()
        except (botocore.exceptions.ClientError, UnicodeDecodeError) as error:
            raise ValidationException(
                f"Cannot read the definition at s3://{bucket}/{key}: {error}"
            ) from error
        return text

    return read


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _request(body: bytes) -> Json:
    """The JSON object in a body, without members that are null. Raises SerializationException."""
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise SerializationException("The request is not JSON") from None
    if not isinstance(request, dict):
        raise SerializationException("The request is not a JSON object")
    return {key: value for key, value in request.items() if value is not None}


def _timestamp(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} in a response")
