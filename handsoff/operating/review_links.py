"""Mints links to the review page, where the caller may read the secret that signs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed, NotPermitted
from handsoff.operating.decisions import logs_silenced
from handsoff.pages import page
from retraining.facts.package import Package
from retraining.links import Kind, Links
from retraining.review_page.link import config_of, lifetime

DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
"""Error codes with which AWS says that the caller lacks a permission."""

PAGE: Final = "docs/how-to/decide-on-a-candidate.md"
"""The page that says who may mint links."""


@dataclass(frozen=True)
class Minted:
    """A link, made now. `kind` is what it opens, `subject` the package's ARN or the model's name.

    `decides` says whether a person can decide by it: not on a package that is decided.
    """

    kind: Kind
    subject: str
    url: str
    expires_at: datetime
    decides: bool = False


def mint_for_package(deployment: Deployment, package: Package, *, read_only: bool) -> Minted:
    """A link to the page on which this package is decided, or only shown. Raises as `_links`."""
    model = package.group.removeprefix(f"{deployment.prefix}-")
    without = (
        "`handsoff approve` and `handsoff reject` decide without a link, `handsoff explain` shows the rules"
    )
    links = _links(deployment, without)
    url = links.look_url(package.arn) if read_only else links.url(package.arn)
    kind: Kind = "look" if read_only else "review"
    decides = package.pending and not read_only
    return Minted(kind, package.arn, url, _expires_at(deployment, model), decides)


def mint_for_model(deployment: Deployment, model: str) -> Minted:
    """A link to the page with this model's history. Raises as `_links`."""
    links = _links(deployment, f"`handsoff status {model}` shows the model without a link")
    return Minted("model", model, links.model_url(model), _expires_at(deployment, model))


def _links(deployment: Deployment, without: str) -> Links:
    """Makes this deployment's links. `without` says what to do without one.

    Raises NotDeployed where there is no review page, NotPermitted where the caller may not read the secret.
    """
    url, arn = (deployment.outputs.get(name) for name in ("ReviewUrl", "LinkSecret"))
    if url is None:
        raise NotDeployed(f"this deployment has no review page: Lambda has no function URLs here. {without}")
    if arn is None:
        raise NotDeployed("the stack has no output LinkSecret: `handsoff deploy` adds it")
    try:
        secret = deployment.session.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        raise NotPermitted(
            f"{deployment.caller} may not mint links: it lacks secretsmanager:GetSecretValue on {arn}. "
            f"{without}. An administrator allows it by aws.link_secret in handsoff.yaml: {page(PAGE)}"
        ) from None
    return Links(secret, url)


def _expires_at(deployment: Deployment, model: str) -> datetime:
    """When a link that is made now expires, by the model's published config, rounded down to the second."""
    using = deployment.collaborators
    with logs_silenced():
        config = config_of(model, using, fresh=True)
    return using.clock().replace(microsecond=0) + lifetime(config)


def as_json(minted: Minted) -> dict[str, Any]:
    """A link as `handsoff review --json` prints it."""
    return {
        "kind": minted.kind,
        "modelPackageArn": None if minted.kind == "model" else minted.subject,
        "model": minted.subject if minted.kind == "model" else None,
        "url": minted.url,
        "expiresAt": minted.expires_at.isoformat(),
    }
