"""IAM for calls that ministack does not check: those to SageMaker, and those of AWS's services as a role.

Only a server that enforces IAM imports this. ministack's evaluator decides; this module determines the
principal, action and resource. The journal records every decision.
"""

from __future__ import annotations

import contextvars
import functools
import json
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ministack import app as ministack
from ministack.core import iam_evaluator
from ministack.core.iam_actions import access_denied_response, identity_denial_message
from ministack.core.iam_evaluator import AuthError, EvalContext, EvalResult
from ministack.core.responses import get_account_id, request_scope, set_request_account_id, set_request_region
from ministack.core.router import extract_access_key_id, extract_region
from ministack.services import iam as iam_svc
from ministack.services import sts

from local.ministack.iam.journal import Journal
from local.sagemaker.errors import AccessDeniedException
from local.sagemaker.permissions import SERVICE, Call
from local.types import Json

T = TypeVar("T")

JOB_CREDENTIALS_LIFE: Final = timedelta(hours=12)
"""The time after which a job's credentials expire."""


class Iam:
    """IAM of one account and region. It is the Authority of the SageMaker engine; services.py uses it too."""

    def __init__(self, account: str, region: str, journal: Journal) -> None:
        self._account, self._region, self._journal = account, region, journal
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], str] = {}

    # Callers of SageMaker

    def admit(self, scope: Json, body: bytes, calls: Iterable[Call]) -> tuple[int, bytes] | None:
        """None if the signer of this request may make all `calls`, else the (HTTP status, body) of a refusal.

        Runs in a thread with a context of its own, so that ministack's context variables do not leak.
        """
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        key, region = extract_access_key_id(headers, {}), extract_region(headers, {})
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        ministack.pin_request_origin((scope.get("client") or ("127.0.0.1",))[0], False)
        if key:
            set_request_account_id(ministack._request_account_scope(key))
        set_request_region(region)
        iam_evaluator.pin_signed_request(scope["method"], path, {}, scope["headers"])
        iam_evaluator.pin_signed_body(body)
        for call in calls:
            denied = _enforce(key, call, region)
            if isinstance(denied, AuthError):
                status, _, text = access_denied_response(
                    "sagemaker",
                    call.action,
                    "",
                    str(uuid.uuid4()),
                    error_code=denied.code,
                    message=denied.message,
                    headers=headers,
                )
                return status, text
            if denied:
                refused = {"__type": "AccessDeniedException", "Message": _message(denied, call)}
                return 400, json.dumps(refused).encode()
        return None

    # Services that act as a role

    def act(self, role: str, calls: Iterable[Call]) -> None:
        """Check that SageMaker may make these calls as `role`. Raises AccessDeniedException if it may not."""
        self._trusts(role, SERVICE)
        for call in calls:
            if denied := self._refusal(role, "SageMaker", call):
                raise AccessDeniedException(denied)

    def may(self, role: str, session: str, *calls: Call) -> bool:
        """Whether a session of `role` may make these calls."""
        return not any(self._refusal(role, session, call) for call in calls)

    def assume(self, role: str) -> Json:
        """Credentials of `role` for a SageMaker job, as STS returns them. Raises AccessDeniedException."""
        self._trusts(role, SERVICE)
        until = datetime.now(UTC) + JOB_CREDENTIALS_LIFE
        return {**self._session(role, "SageMaker", until), "Expiration": until}

    def trusts(self, role: str, service: str, source: str | None = None) -> bool:
        """Whether `service` may assume `role` on behalf of the resource `source` of this account."""
        context = {"aws:sourceaccount": self._account} | ({"aws:sourcearn": source} if source else {})
        record = self._alone(iam_svc._roles.get_scoped, self._account, None, role.rpartition("/")[2])
        policy = (record or {}).get("AssumeRolePolicyDocument")
        return self._resource_policy(policy, service, Call("sts:AssumeRole", role, context))

    def service_may(self, service: str, call: Call, policy: object) -> bool:
        """Whether a resource's `policy` lets a service make this call."""
        context = {"aws:sourceaccount": self._account, **call.context}
        return self._resource_policy(policy, service, Call(call.action, call.resource, context))

    # Evaluation

    def _refusal(self, role: str, session: str, call: Call) -> str | None:
        """The message of the refusal, None if a session of `role` may make the call."""
        denied = self._alone(_enforce, self._key(role, session), call, self._region)
        return _message(denied, call) if denied else None

    def _trusts(self, role: str, service: str) -> None:
        """Raise AccessDeniedException unless `service` may assume `role`."""
        if not self.trusts(role, service):
            raise AccessDeniedException(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role."
            )

    def _resource_policy(self, policy: object, service: str, call: Call) -> bool:
        """Whether `policy` allows the call to `service`. Records the decision."""
        context = EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action=call.action,
            resource_arn=call.resource,
            region=self._region,
            service_context=dict(call.context),
        )
        given: Any = policy or {}
        found = self._alone(iam_evaluator.evaluate_resource_policy, given, context, service=service)
        self._journal.record(
            service,
            call.action,
            call.resource,
            region=self._region,
            context=call.context,
            decision=found.decision,
        )
        return bool(found.decision == "Allow")

    def _key(self, role: str, session: str) -> str:
        """The access key by which ministack knows this session of the role. It is made once."""
        with self._lock:
            if (role, session) not in self._keys:
                self._keys[role, session] = self._session(role, session, None)["AccessKeyId"]
            return self._keys[role, session]

    def _session(self, role: str, session: str, until: datetime | None) -> Json:
        """Register a session of a role with ministack's STS. Returns its credentials."""
        name = role.rpartition("/")[2]
        key, secret, token = (
            f"ASIA{secrets.token_hex(8).upper()}",
            secrets.token_hex(20),
            secrets.token_hex(64),
        )
        record: Json = {
            "Arn": f"arn:aws:sts::{self._account}:assumed-role/{name}/{session}",
            "UserId": f"{name}:{session}",
            "AccountId": self._account,
            "SecretAccessKey": secret,
            "SessionToken": token,
        }
        sts.register_session(key, record | ({"Expiration": until.timestamp()} if until else {}))
        return {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token}

    def _alone(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call outside the context of the current request, because a service acts and not its caller."""

        def scoped() -> T:
            with request_scope(self._account, self._region):
                return call(*arguments, **named)

        return contextvars.Context().run(scoped)


def watch(journal: Journal) -> None:
    """Record every decision of ministack's evaluator, for requests to SageMaker and to ministack."""
    original = iam_evaluator.enforce

    @functools.wraps(original)
    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Mapping[str, Any] | None = None,
    ) -> EvalResult | AuthError | None:
        denied: EvalResult | AuthError | None = original(
            access_key_id, iam_action, service, region, resource_arn, service_context
        )
        if not iam_evaluator.is_root_access_key(access_key_id or ""):
            who = iam_evaluator.resolve_credential(access_key_id, get_account_id())
            journal.record(
                getattr(who, "principal_arn", access_key_id),
                iam_action,
                resource_arn,
                region=region,
                context=service_context or {},
                decision=_decision(denied),
            )
        return denied

    iam_evaluator.enforce = enforce


def _enforce(key: str, call: Call, region: str) -> EvalResult | AuthError | None:
    """ministack's refusal of a call by the owner of an access key, None if the call is allowed."""
    answer: EvalResult | AuthError | None = iam_evaluator.enforce(
        key,
        call.action,
        call.action.partition(":")[0],
        region,
        resource_arn=call.resource,
        service_context=dict(call.context),
    )
    return answer


def _decision(denied: EvalResult | AuthError | None) -> str:
    """The journal's word for what the evaluator returned."""
    if denied is None:
        return "Allow"
    return str(denied.code if isinstance(denied, AuthError) else denied.decision)


def _message(denied: EvalResult | AuthError, call: Call) -> str:
    """The message of a refusal, as AWS words it."""
    if isinstance(denied, AuthError):
        return str(denied.message)
    explicit = denied.decision == "Deny"
    return str(identity_denial_message(call.action, denied.principal_arn, call.resource, explicit))
