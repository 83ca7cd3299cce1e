"""Which permissions a call of SageMaker needs, as AWS's Service Authorization Reference lists them. Pure.

An Authority decides who has them: `Everybody`, the default, or IAM (local/ministack/iam).
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemakerai.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from local.types import Json

SERVICE: Final = "sagemaker.amazonaws.com"
"""The service principal of SageMaker, which assumes roles."""

_ARNS: Final = ("PipelineExecutionArn", "ModelPackageArn", "ResourceArn")
"""Members of a request that hold the ARN of the call's resource."""

_NAMES: Final = {
    "PipelineName": "pipeline",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "ModelName": "model",
}
"""Members of a request that hold the name of the call's resource, with its type in the ARN."""

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
"""Operations whose resource is always *: AWS lists none, or one that the request does not name."""

_PASSES_ROLE: Final = frozenset(
    {"CreatePipeline", "UpdatePipeline", "CreateProcessingJob", "CreateTrainingJob", "CreateModel"}
)
"""Operations that pass a role, so that the caller needs iam:PassRole."""


@dataclass(frozen=True)
class Call:
    """One call to be allowed: `action` on `resource`. `context` holds the request's condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


class Authority(Protocol):
    """Decides what roles may do."""

    def act(self, role: str, calls: Iterable[Call]) -> None:
        """SageMaker makes these calls as `role`. Raises AccessDeniedException."""

    def assume(self, role: str) -> Json | None:
        """Credentials of `role` for a job. None leaves that to STS. Raises AccessDeniedException."""


class Everybody:
    """Allows everything."""

    def act(self, role: str, calls: Iterable[Call]) -> None: ...

    def assume(self, role: str) -> Json | None:  # noqa: ARG002 - the protocol has this parameter
        return None


def needed(operation: str, request: Json, *, account: str, region: str) -> Iterator[Call]:
    """The calls that a caller of `operation` must be allowed to make."""
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
        # The version is not known yet. AWS lists two resource types, and both are needed.
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
