"""What handsoff.yaml says about the proof of evidence: the key that signs it, and how long S3 keeps it."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from retraining.config.account import Key
from retraining.config.fields import NUMBER, Form, Problem, Section

CREATE: Final = "create"
"""The signing key that Terraform makes."""

SigningKey = Annotated[
    str,
    Form(
        r"create|arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+",
        "create, or a KMS key's ARN, such as arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab",
    ),
]


class ObjectLock(Section):
    """How long S3 refuses to delete or replace evidence records, and what they are about."""

    mode: Literal["governance", "compliance"]
    """`governance` lets identities with `s3:BypassGovernanceRetention` delete them earlier. `compliance` lets
    nobody, the account's root user included."""

    days: Annotated[int, Field(ge=1, le=36500), NUMBER]
    """Days from the making of a record."""


class EvidenceProof(Section):
    """The proof of evidence. Each evidence.json is recorded in its model's chain in any case; with a key the
    records are signed, so that `handsoff verify` finds what was changed afterwards."""

    signing_key: SigningKey | None = None
    """The key that signs evidence records: `create` for one that Terraform makes, or the ARN of a KMS key of
    yours (ECC_NIST_P256, SIGN_VERIFY). Without it, records are not signed."""

    earlier_keys: tuple[Key, ...] = Field((), max_length=20)
    """ARNs of keys that signed records before `signing_key` did. `handsoff verify` trusts them, too."""

    object_lock: ObjectLock | None = None
    """S3 Object Lock for evidence records. Terraform turns it on for a bucket that it made; it cannot be
    turned off again. A bucket of yours (`aws.bucket`) must have it."""

    def problems(self) -> Iterator[Problem]:
        """An earlier key that is the one that signs now."""
        if self.signing_key in self.earlier_keys:
            yield ("earlier_keys",), f"{self.signing_key} is signing_key, too: name keys that sign no more"
