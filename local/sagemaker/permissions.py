"""Which permissions a call of SageMaker needs, as AWS's Service Authorization Reference lists them. Pure.

Who has them is for an Authority to say: everybody (`Everybody`, the default), or IAM (local/ministack/iam).
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemakerai.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from local.types import Json

SERVICE: Final = "sagemaker.amazonaws.com"

# Members that hold the ARN of what is called, and members that hold its name, with the type in its ARN.
_ARNS: Final = ("PipelineExecutionArn", "ModelPackageArn", "ResourceArn")
_NAMES: Final = {
    "PipelineName": "pipeline",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "ModelName": "model",
}
# Their resource is always *: AWS lists none, or one that the request does not name.
_OF_ALL: Final = frozenset(
    {
        "ListModelPackages",
        "ListModelPackageGroups",
        "ListPipelines",
        "ListProcessingJobs",
        "ListTrainingJobs",
        "Search",
    }
)
_PASSES_ROLE: Final = frozenset(
    {"CreatePipeline", "UpdatePipeline", "CreateProcessingJob", "CreateTrainingJob", "CreateModel"}
)


@dataclass(frozen=True)
class Call:
    """One thing to be allowed: `action` on `resource`; `context` holds the condition keys of the request."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


class Authority(Protocol):
    """Says who may do what."""

    def act(self, role: str, calls: Iterable[Call]) -> None:
        """SageMaker makes these calls as `role`. Raises AccessDeniedException."""

    def assume(self, role: str) -> Json | None:
        """Credentials of `role` for SageMaker; None leaves that to STS. Raises AccessDeniedException."""


class Everybody:
    """Everybody may do everything."""

    def act(self, role: str, calls: Iterable[Call]) -> None: ...

    def assume(self, role: str) -> Json | None:  # noqa: ARG002 - the protocol names it
        return None


def needed(operation: str, request: Json, *, account: str, region: str) -> Iterator[Call]:
    """All that a caller of `operation` must be allowed to do."""
    prefix = f"arn:aws:sagemaker:{region}:{account}"
    context = _context(operation, request)
    resources = list(_resources(operation, request, prefix))
    for resource in resources:
        yield Call(f"sagemaker:{operation}", resource, context)
    if request.get("Tags") and operation != "AddTags":
        yield Call("sagemaker:AddTags", resources[0])
    if operation in _PASSES_ROLE and (role := request.get("RoleArn")):
        yield Call("iam:PassRole", role, {"iam:PassedToService": SERVICE})
    if place := request.get("PipelineDefinitionS3Location"):
        yield Call("s3:GetObject", f"arn:aws:s3:::{place['Bucket']}/{place['ObjectKey']}")


def _resources(operation: str, request: Json, prefix: str) -> Iterator[str]:
    if operation in _OF_ALL:
        yield "*"
        return
    if operation == "CreateModelPackage" and (group := request.get("ModelPackageGroupName")):
        # The version is not known before; both types that AWS lists are asked for.
        name = group.rpartition("/")[2]
        yield f"{prefix}:model-package/{name}/*"
        yield f"{prefix}:model-package-group/{name}"
        return
    named = next((request[member] for member in _ARNS if member in request), None)
    if named is None:
        found = next(((kind, request[member]) for member, kind in _NAMES.items() if member in request), None)
        named = "*" if found is None else _arn(prefix, *found)
    yield named


def _arn(prefix: str, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else f"{prefix}:{kind}/{name}"


def _context(operation: str, request: Json) -> dict[str, str]:
    status = request.get("ModelApprovalStatus")
    if operation in ("CreateModelPackage", "UpdateModelPackage") and status:
        return {"sagemaker:ModelApprovalStatus": status}
    return {}
