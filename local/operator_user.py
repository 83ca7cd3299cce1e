"""Makes the IAM user who operates a deployment on this machine, as docs/how-to/operator.md does on AWS."""

import contextlib
from typing import Final

from local.infrastructure import policy
from local.server import Cloud

NAME: Final = "data-science-user"
"""The name of that user."""


def make(cloud: Cloud, *, prefix: str) -> None:
    """Make data-science-user with the operator's policies and one new access key.

    `prefix` is the deployment's. The key is stored in the server's folder. If IAM is enforced, this user may
    only do what the operator's policies allow.
    """
    iam = cloud.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=NAME)
    made = {item["PolicyName"]: item["Arn"] for item in iam.list_policies(Scope="Local")["Policies"]}
    for document in ("operator", "operator-evidence", "operator-publish", "operator-signing"):
        if arn := made.get(f"{prefix}-{document}"):  # nothing signs without evidence.signing_key
            iam.attach_user_policy(UserName=NAME, PolicyArn=arn)
    own_keys = policy("operator-keys", {"partition": "aws", "account": cloud.account})
    iam.put_user_policy(UserName=NAME, PolicyName="operator-keys", PolicyDocument=own_keys)
    for old in iam.list_access_keys(UserName=NAME)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=NAME, AccessKeyId=old["AccessKeyId"])
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    cloud.keep(NAME, key["AccessKeyId"], key["SecretAccessKey"])
