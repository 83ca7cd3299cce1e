"""IAM for what ministack leaves out: SageMaker's calls, and what AWS's services do as roles of ours.

Only a server that was started to enforce IAM imports this. The evaluator is ministack's; who is asked, for
which action on which resource, is ours, and every answer goes to the journal.
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
LIFE: Final = timedelta(hours=12)  # of a job's credentials


class Iam:
    """IAM of one account and region: the Authority of the SageMaker engine, and what repairs ask."""

    def __init__(self, account: str, region: str, journal: Journal) -> None:
        self._account, self._region, self._journal = account, region, journal
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], str] = {}

    # What callers of SageMaker may do

    def admit(self, scope: Json, body: bytes, calls: Iterable[Call]) -> tuple[int, bytes] | None:
        """None if whoever signed this request may make all calls, else the answer that refuses it.

        Runs in a thread with a context of its own, in which what ministack pins to a request stays.
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
                refused = {"__type": "AccessDeniedException", "Message": _says(denied, call)}
                return 400, json.dumps(refused).encode()
        return None

    # What services do as a role

    def act(self, role: str, calls: Iterable[Call]) -> None:
        """SageMaker makes these calls as `role`. Raises AccessDeniedException at the first refusal."""
        self._trusts(role, SERVICE)
        for call in calls:
            if denied := self._refusal(role, "SageMaker", call):
                raise AccessDeniedException(denied)

    def may(self, role: str, session: str, *calls: Call) -> bool:
        """Whether a session of `role` may make these calls."""
        return not any(self._refusal(role, session, call) for call in calls)

    def assume(self, role: str) -> Json:
        """Credentials of `role` for a job of SageMaker. Raises AccessDeniedException."""
        self._trusts(role, SERVICE)
        until = datetime.now(UTC) + LIFE
        return {**self._session(role, "SageMaker", until), "Expiration": until}

    def trusts(self, role: str, service: str, source: str | None = None) -> bool:
        """Whether `service` may assume `role` on behalf of the resource `source` of this account."""
        context = {"aws:sourceaccount": self._account} | ({"aws:sourcearn": source} if source else {})
        record = self._alone(iam_svc._roles.get_scoped, self._account, None, role.rpartition("/")[2])
        policy = (record or {}).get("AssumeRolePolicyDocument")
        return self._resource_policy(policy, service, Call("sts:AssumeRole", role, context))

    def service_may(self, service: str, call: Call, policy: object) -> bool:
        """Whether a resource's policy lets a service make this call."""
        context = {"aws:sourceaccount": self._account, **call.context}
        return self._resource_policy(policy, service, Call(call.action, call.resource, context))

    # How

    def _refusal(self, role: str, session: str, call: Call) -> str | None:
        denied = self._alone(_enforce, self._key(role, session), call, self._region)
        return _says(denied, call) if denied else None

    def _trusts(self, role: str, service: str) -> None:
        if not self.trusts(role, service):
            raise AccessDeniedException(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role."
            )

    def _resource_policy(self, policy: object, service: str, call: Call) -> bool:
        asked = EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action=call.action,
            resource_arn=call.resource,
            region=self._region,
            service_context=dict(call.context),
        )
        given: Any = policy or {}
        found = self._alone(iam_evaluator.evaluate_resource_policy, given, asked, service=service)
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
        """The access key under which ministack knows a session of a role; the same one each time."""
        with self._lock:
            if (role, session) not in self._keys:
                self._keys[role, session] = self._session(role, session, None)["AccessKeyId"]
            return self._keys[role, session]

    def _session(self, role: str, session: str, until: datetime | None) -> Json:
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
        """Call outside the request that led here: it is a service that acts, not its caller."""

        def scoped() -> T:
            with request_scope(self._account, self._region):
                return call(*arguments, **named)

        return contextvars.Context().run(scoped)


def watch(journal: Journal) -> None:
    """Write down every answer that ministack's evaluator gives to a request, ours and its own front's."""
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
                decision="Allow"
                if denied is None
                else denied.code
                if isinstance(denied, AuthError)
                else denied.decision,
            )
        return denied

    iam_evaluator.enforce = enforce


def _enforce(key: str, call: Call, region: str) -> EvalResult | AuthError | None:
    answer: EvalResult | AuthError | None = iam_evaluator.enforce(
        key,
        call.action,
        call.action.partition(":")[0],
        region,
        resource_arn=call.resource,
        service_context=dict(call.context),
    )
    return answer


def _says(denied: EvalResult | AuthError, call: Call) -> str:
    """The message of a refusal, as AWS words it."""
    if isinstance(denied, AuthError):
        return str(denied.message)
    explicit = denied.decision == "Deny"
    return str(identity_denial_message(call.action, denied.principal_arn, call.resource, explicit))
