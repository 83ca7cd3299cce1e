"""Which actions of which statements are needed: without them something that was allowed is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

Json = dict[str, Any]


@dataclass(frozen=True, order=True)
class Permission:
    """One action of one statement of what a role or a user (`who`) may do."""

    who: str
    sid: str
    action: str


def documents(iam: Any, *, users: Sequence[str] = ()) -> dict[str, list[Json]]:
    """All identity policies that are attached to roles and `users`, as IAM has them, by role or user."""
    found: dict[str, list[Json]] = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        found[name] = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        found[name] += _managed(iam, iam.list_attached_role_policies(RoleName=name))
    for name in users:
        found[name] = [
            json.loads(json.dumps(iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]))
            for policy in iam.list_user_policies(UserName=name)["PolicyNames"]
        ]
        found[name] += _managed(iam, iam.list_attached_user_policies(UserName=name))
    return found


def _managed(iam: Any, attached: Json) -> list[Json]:
    documents = []
    for policy in attached["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
        documents.append(answer["PolicyVersion"]["Document"])
    return documents


def permissions(policies: Mapping[str, Sequence[Json]]) -> Iterator[Permission]:
    """Every action of every statement."""
    for who, held in policies.items():
        for document in held:
            for statement in document["Statement"]:
                for action in _list(statement["Action"]):
                    yield Permission(who, statement["Sid"], action)


def needed(journal: Sequence[Json], policies: Mapping[str, Sequence[Json]]) -> set[Permission]:
    """The permissions without which a call of the journal would be refused."""
    calls: dict[str, list[Json]] = {}
    for entry in journal:
        if entry["decision"] == "Allow":
            calls.setdefault(name_of(entry["principal"]), []).append(entry)
    return {
        permission
        for permission in permissions(policies)
        if any(
            not allowed(entry, without(policies[permission.who], permission))
            for entry in calls.get(permission.who, [])
            if entry["action"].lower() == permission.action.lower()
        )
    }


def without(documents: Sequence[Json], taken: Permission) -> list[Json]:
    """The policies with that one action of that one statement gone."""
    return [
        {
            **document,
            "Statement": [
                {**statement, "Action": left}
                for statement in document["Statement"]
                if (
                    left := [
                        action
                        for action in _list(statement["Action"])
                        if (statement["Sid"], action) != (taken.sid, taken.action)
                    ]
                )
            ],
        }
        for document in documents
    ]


def allowed(entry: Json, documents: Sequence[Json]) -> bool:
    """Whether these policies allow what was asked, by the evaluator that the server used."""
    user = entry["principal"].rpartition("/")[2]
    asked = EvalContext(
        principal_arn=entry["principal"],
        principal_type="AssumedRole" if ":assumed-role/" in entry["principal"] else "User",
        principal_account="123456789012",
        action=entry["action"],
        resource_arn=entry["resource"],
        region=entry["region"],
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={name.lower(): value for name, value in entry["context"].items()},
    )
    parsed = [
        parse_policy_document(json.dumps(document).replace("${aws:username}", user)) for document in documents
    ]
    return bool(evaluate(asked, parsed).decision == "Allow")


def name_of(principal: str) -> str:
    """The role's, the user's or the service's name in a principal of the journal."""
    parts = principal.split("/")
    return parts[1] if len(parts) > 1 else principal


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
