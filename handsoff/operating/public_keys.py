"""The public keys that verify evidence records: of KMS, or of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from handsoff.deployment import Deployment
from handsoff.errors import NotFound, UsageError
from retraining.proof.chain import Signed
from retraining.proof.envelope import Envelope

GONE = ("NotFoundException", "KMSInvalidStateException")
"""Codes of KMS for a key that does not exist, or is about to be deleted."""


@dataclass(frozen=True)
class PublicKeys:
    """The keys that are trusted, by their names: the ARN in KMS, or the file's path.

    `named` says whether the names are those that signatures name, so that another name is another key.
    """

    keys: Mapping[str, EllipticCurvePublicKey]
    named: bool

    @classmethod
    def of_deployment(cls, deployment: Deployment) -> Self | None:
        """The keys that the configuration names, or that the functions sign with; None if there is none.

        Raises NotFound.
        """
        config = deployment.config.evidence
        names = [name for name in (deployment.trusted_key, *config.earlier_keys) if name]
        return cls(dict(_from_kms(deployment, name) for name in names), named=True) if names else None

    @classmethod
    def of_files(cls, paths: Iterable[Path]) -> Self:
        """The keys in these files, each one in PEM. Raises UsageError."""
        return cls({str(path): _from_file(path) for path in paths}, named=False)

    @property
    def pem(self) -> str:
        """The keys in PEM, one after the other."""
        kind = PublicFormat.SubjectPublicKeyInfo
        return "".join(key.public_bytes(Encoding.PEM, kind).decode() for key in self.keys.values())

    def check(self, envelope: Envelope) -> Signed:
        """What the signatures of an envelope are worth: one by a trusted key is enough."""
        message = envelope.signed_bytes
        if any(
            _made_by(key, item.value, message) for key in self.keys.values() for item in envelope.signatures
        ):
            return "good"
        known = not self.named or any(item.key_id in self.keys for item in envelope.signatures)
        return "bad" if known else "foreign"


def _made_by(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _from_kms(deployment: Deployment, name: str) -> tuple[str, EllipticCurvePublicKey]:
    try:
        found = deployment.kms.get_public_key(KeyId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        raise NotFound(
            f"KMS has no key {name} that can be used: `handsoff deploy` makes the one that is to be made. "
            "If a key is deleted, give its public key, which you have kept, by --key FILE"
        ) from None
    return found["KeyId"], _p256(load_der_public_key(found["PublicKey"]), name)


def _from_file(path: Path) -> EllipticCurvePublicKey:
    try:
        return _p256(load_pem_public_key(path.read_bytes()), str(path))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no public key in PEM ({error}): `handsoff verify --print-key` prints one"
        ) from None


def _p256(key: object, name: str) -> EllipticCurvePublicKey:
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise UsageError(f"{name} is no key of the curve P-256 (ECC_NIST_P256), by which records are signed")
