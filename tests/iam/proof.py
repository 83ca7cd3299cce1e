"""Which parts of which statements are needed, and what they let in beside what was asked.

An action, or one resource of several, is needed if without it something that was allowed is refused; a
condition, if without it something is let in. Beside each call that was allowed stand its siblings, which are
another deployment's, account's, region's, folder's or service's: what lets them in is too wide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

Json = dict[str, Any]
PREFIX, ACCOUNT, REGION = "handsoff", "123456789012", "us-east-1"


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


def statements(policies: Mapping[str, Sequence[Json]], effect: str = "Allow") -> Iterator[tuple[str, Json]]:
    """Every statement that allows, or that denies, and whose it is."""
    for who, held in policies.items():
        for document in held:
            for statement in document["Statement"]:
                if statement["Effect"] == effect:
                    yield who, statement


def permissions(policies: Mapping[str, Sequence[Json]]) -> Iterator[Permission]:
    """Every action of every statement that allows something."""
    for who, statement in statements(policies):
        for action in _list(statement["Action"]):
            yield Permission(who, statement["Sid"], action)


def needed(journal: Sequence[Json], policies: Mapping[str, Sequence[Json]]) -> set[Permission]:
    """The permissions without which a call of the journal would be refused."""
    calls = _by_caller(journal)
    return {
        permission
        for permission in permissions(policies)
        if any(
            not allowed(entry, without(policies[permission.who], permission))
            for entry in calls.get(permission.who, [])
            if entry["action"].lower() == permission.action.lower()
        )
    }


def spare_resources(
    journal: Sequence[Json], policies: Mapping[str, Sequence[Json]]
) -> Iterator[tuple[str, str, str]]:
    """Each resource of several that nothing needs: whose, Sid, resource."""
    calls = _by_caller(journal)
    for who, statement in statements(policies):
        several = _list(statement["Resource"])
        for resource in several if len(several) > 1 else ():
            less = {**statement, "Resource": [other for other in several if other != resource]}
            documents = replaced(policies[who], statement, less)
            if all(allowed(entry, documents) for entry in calls.get(who, []) if _about(entry, statement)):
                yield who, statement["Sid"], resource


def idle_conditions(
    journal: Sequence[Json], policies: Mapping[str, Sequence[Json]]
) -> Iterator[tuple[str, str, str]]:
    """Each condition that refuses nothing, or that no call of the journal met: whose, Sid, condition key."""
    calls = _by_caller(journal)
    for effect in ("Allow", "Deny"):
        for who, statement in statements(policies, effect):
            for operator, key in [
                (operator, key) for operator, keys in statement.get("Condition", {}).items() for key in keys
            ]:
                value = _list(statement["Condition"][operator][key])[0] if effect == "Deny" else "violated"
                gone = replaced(policies[who], statement, _unconditional(statement, operator, key))
                changed = [_with(e, key, value) for e in calls.get(who, []) if _about(e, statement)]
                if effect == "Deny":
                    gone = replaced(policies[who], statement, None)
                if not any(not allowed(e, policies[who]) and allowed(e, gone) for e in changed):
                    yield who, statement["Sid"], key


def let_in(journal: Sequence[Json], policies: Mapping[str, Sequence[Json]]) -> set[tuple[str, str, str]]:
    """The siblings of allowed calls that are allowed, too: whose, action, of what else they are."""
    return {
        (who, entry["action"], what)
        for who, entries in _by_caller(journal).items()
        for entry in entries
        for what, sibling in siblings(entry)
        if who in policies and allowed(sibling, policies[who])
    }


def siblings(entry: Json) -> Iterator[tuple[str, Json]]:
    """The same call on what is somebody else's. What bears no name of ours is anybody's as it is."""
    resource, context = entry["resource"], entry["context"]
    another = resource.replace(PREFIX, f"{PREFIX}other").replace(":user/", ":user/another-")
    yield "deployment", {**entry, "resource": another}
    if ACCOUNT in resource:
        yield "account", {**entry, "resource": resource.replace(ACCOUNT, "210987654321")}
    if REGION in resource or resource == "*":
        yield "region", {**entry, "resource": resource.replace(REGION, "eu-west-1"), "region": "eu-west-1"}
    if resource.startswith("arn:aws:s3:::") and "/" in resource:
        bucket, _, key = resource.partition("/")
        yield "folder", {**entry, "resource": f"{bucket}/elsewhere/{key.partition('/')[2]}"}
    if ":parameter/" in resource:
        yield "folder", {**entry, "resource": resource.replace(f"/{PREFIX}/", f"/{PREFIX}/elsewhere/")}
    for key, what in (
        ("s3:prefix", "folder"),
        ("iam:PassedToService", "service"),
        ("events:source", "source"),
        ("events:detail-type", "detail type"),
    ):
        if key in context:
            yield what, {**entry, "context": {**context, key: "elsewhere/"}}


def replaced(documents: Sequence[Json], old: Json, new: Json | None) -> list[Json]:
    """The policies with another statement in the place of one, or none."""
    return [
        {
            **document,
            "Statement": [
                changed
                for statement in document["Statement"]
                if (changed := new if statement is old else statement) is not None
            ],
        }
        for document in documents
    ]


def _unconditional(statement: Json, operator: str, key: str) -> Json:
    conditions = {
        name: {other: value for other, value in keys.items() if (name, other) != (operator, key)}
        for name, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": {name: keys for name, keys in conditions.items() if keys}}


def _with(entry: Json, key: str, value: str) -> Json:
    """The call with another value of a condition key; without the key if it is a header that must be sent."""
    if key == "aws:RequestedRegion":
        return {**entry, "region": value}
    context = {name: said for name, said in entry["context"].items() if name.lower() != key.lower()}
    return {**entry, "context": context if key == "s3:if-none-match" else {**context, key: value}}


def _by_caller(journal: Sequence[Json]) -> dict[str, list[Json]]:
    """What was allowed, by the role's or user's name. What was asked again and again is there once."""
    calls: dict[str, dict[str, Json]] = {}
    for entry in journal:
        if entry["decision"] == "Allow":
            asked = repr([entry[name] for name in ("principal", "action", "resource", "region", "context")])
            calls.setdefault(name_of(entry["principal"]), {}).setdefault(asked, entry)
    return {who: list(asked.values()) for who, asked in calls.items()}


def _about(entry: Json, statement: Json) -> bool:
    return entry["action"].lower() in {action.lower() for action in _list(statement["Action"])}


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
        principal_account=ACCOUNT,
        action=entry["action"],
        resource_arn=entry["resource"],
        region=entry["region"],
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={name.lower(): value for name, value in entry["context"].items()},
    )
    parsed = [_parsed(json.dumps(document), user) for document in documents]
    return bool(evaluate(asked, parsed).decision == "Allow")


@cache
def _parsed(document: str, user: str) -> Any:
    return parse_policy_document(document.replace("${aws:username}", user))


def name_of(principal: str) -> str:
    """The role's, the user's or the service's name in a principal of the journal."""
    parts = principal.split("/")
    return parts[1] if len(parts) > 1 else principal


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
