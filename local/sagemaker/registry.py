"""Model package groups and model packages.

moto has these calls too. But its update deletes the fields that it does not name, it ignores ClientToken,
ModelCard and ModelLifeCycle, it numbers versions by counting, and it cannot delete a group. Every call would
need a repair, so none of moto's is used. tests/local/test_local_moto.py fails once moto is right.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from local.sagemaker import events
from local.sagemaker.errors import ConflictException, ValidationException
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.listing import now, page, within
from local.sagemaker.protocol.tokens import Tokens
from local.types import Json

_UPDATED: Final = {"SourceUri": "sourceUri"}
"""Fields that AWS spells differently in UpdatedModelPackageFields."""

_REPLACED: Final = [
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
]
"""Fields that an update replaces."""

MAX_METADATA: Final = 50
"""Entries of CustomerMetadataProperties (AWS's limit)."""


class Registry:
    """The model registry of an account and region."""

    def __init__(self, *, account: str, region: str, emit: events.Emit) -> None:
        self._prefix = f"arn:aws:sagemaker:{region}:{account}"
        self._emit = emit
        self._lock = threading.RLock()
        self._tokens = Tokens()
        self._groups: dict[str, Json] = {}
        self._versions: dict[str, int] = {}  # the highest of each group; no version is given twice
        self._packages: dict[str, Json] = {}  # Describe responses by ARN

    # Groups

    def create_model_package_group(self, request: Json) -> Json:
        name = request["ModelPackageGroupName"]
        with self._lock:
            if name in self._groups:
                raise ValidationException(
                    f"Model Package Group already exists: {self._groups[name]['ModelPackageGroupArn']}"
                )
            self._groups[name] = {
                **{key: value for key, value in request.items() if key != "Tags"},
                "ModelPackageGroupArn": f"{self._prefix}:model-package-group/{name}",
                "CreationTime": now(),
                "CreatedBy": {},
                "ModelPackageGroupStatus": "Completed",
            }
            return {"ModelPackageGroupArn": self._groups[name]["ModelPackageGroupArn"]}

    def describe_model_package_group(self, request: Json) -> Json:
        with self._lock:
            return dict(self._group(request["ModelPackageGroupName"]))

    def delete_model_package_group(self, request: Json) -> Json:
        with self._lock:
            group = self._group(request["ModelPackageGroupName"])
            name = group["ModelPackageGroupName"]
            if any(package.get("ModelPackageGroupName") == name for package in self._packages.values()):
                raise ConflictException(
                    f"Model Package Group cannot be deleted because it still contains Model Packages: "
                    f"{group['ModelPackageGroupArn']}"
                )
            del self._groups[name]
            return {}

    def list_model_package_groups(self, request: Json) -> Json:
        with self._lock:
            found = [
                group
                for group in self._groups.values()
                if request.get("NameContains", "") in group["ModelPackageGroupName"]
                and within(request, ("CreationTime", group["CreationTime"]))
            ]
            return _answer(
                "ModelPackageGroup", found, request, "ModelPackageGroupArn", "ModelPackageGroupName"
            )

    # Packages

    def create_model_package(self, request: Json) -> Json:
        group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
        if (group is None) == (name is None):
            raise ValidationException(
                "Exactly one of ModelPackageGroupName and ModelPackageName must be provided"
            )
        with self._lock:
            return self._tokens.once(
                "CreateModelPackage", request, lambda: self._create(request), "ClientToken"
            )

    def _create(self, request: Json) -> Json:
        if "ModelPackageGroupName" in request:
            group = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
            version = self._versions[group] = self._versions.get(group, 0) + 1
            arn = f"{self._prefix}:model-package/{group}/{version}"
            named: Json = {"ModelPackageGroupName": group, "ModelPackageVersion": version}
            named["ModelApprovalStatus"] = request.get("ModelApprovalStatus", "PendingManualApproval")
        else:
            arn = f"{self._prefix}:model-package/{request['ModelPackageName']}"
            named = {"ModelPackageName": request["ModelPackageName"]}
            if arn in self._packages:
                raise ConflictException(f"Model Package already exists: {arn}")
        moment = now()
        echoed = validation.output_members("DescribeModelPackage")
        self._packages[arn] = {
            **{key: value for key, value in request.items() if key in echoed},
            **named,
            "ModelPackageArn": arn,
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "CreatedBy": {},
            "LastModifiedBy": {},
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        }
        self._emit(events.MODEL_PACKAGE, [arn], events.package_detail(self._packages[arn], []))
        return {"ModelPackageArn": arn}

    def describe_model_package(self, request: Json) -> Json:
        with self._lock:
            return dict(self._package(request["ModelPackageName"]))

    def update_model_package(self, request: Json) -> Json:
        """Set the fields that the request names, keep the others, merge the metadata."""
        with self._lock:
            package = self._package(request["ModelPackageArn"])
            if not request.keys() - {"ModelPackageArn", "ClientToken"}:
                raise ValidationException("At least one field to update must be provided")
            changed: Json = {member: request[member] for member in _REPLACED if member in request}
            if request.get("CustomerMetadataPropertiesToRemove") or "CustomerMetadataProperties" in request:
                changed["CustomerMetadataProperties"] = _merged_metadata(package, request)
            if more := request.get("AdditionalInferenceSpecificationsToAdd"):
                changed["AdditionalInferenceSpecifications"] = [
                    *package.get("AdditionalInferenceSpecifications", []),
                    *more,
                ]
            arn = package["ModelPackageArn"]
            package = {**package, **changed, "LastModifiedTime": now()}
            self._packages[arn] = package  # a new dict, so that earlier responses do not change
            updated = [_UPDATED.get(member, member) for member in changed]
            self._emit(events.MODEL_PACKAGE, [arn], events.package_detail(package, updated))
            return {"ModelPackageArn": arn}

    def delete_model_package(self, request: Json) -> Json:
        with self._lock:
            del self._packages[self._package(request["ModelPackageName"])["ModelPackageArn"]]
            return {}

    def list_model_packages(self, request: Json) -> Json:
        with self._lock:
            group = request.get("ModelPackageGroupName")
            kind = "Versioned" if group else request.get("ModelPackageType", "Unversioned")
            found = [
                package
                for package in self._packages.values()
                if (kind == "Both" or (kind == "Versioned") == ("ModelPackageVersion" in package))
                and (group is None or package.get("ModelPackageGroupName") == group.rpartition("/")[2])
                and request.get("ModelApprovalStatus") in (None, package.get("ModelApprovalStatus"))
                and request.get("NameContains", "") in _name(package)
                and within(request, ("CreationTime", package["CreationTime"]))
            ]
            return _answer("ModelPackage", found, request, "ModelPackageArn", None)

    # Used by pipelines too

    def has_group(self, name: str) -> bool:
        """Whether a group of this name or ARN exists."""
        with self._lock:
            return name.rpartition("/")[2] in self._groups

    def ensure_group(self, name: str) -> None:
        """Make the group if it does not exist, as a RegisterModel step does."""
        with self._lock:
            if not self.has_group(name):
                self.create_model_package_group({"ModelPackageGroupName": name.rpartition("/")[2]})

    def has(self, arn: str) -> bool:
        """Whether `arn` is the ARN of a group or a package."""
        with self._lock:
            return arn in self._packages or any(
                g["ModelPackageGroupArn"] == arn for g in self._groups.values()
            )

    def _group(self, name_or_arn: str) -> Json:
        name = name_or_arn.rpartition("/")[2]
        if name not in self._groups:
            raise ValidationException(
                f"ModelPackageGroup {self._prefix}:model-package-group/{name} does not exist."
            )
        return self._groups[name]

    def _package(self, name_or_arn: str) -> Json:
        arn = name_or_arn if name_or_arn.startswith("arn:") else f"{self._prefix}:model-package/{name_or_arn}"
        if arn not in self._packages:
            raise ValidationException(f"ModelPackage {arn} does not exist.")
        return self._packages[arn]


def _merged_metadata(package: Json, request: Json) -> Json:
    """The package's metadata after an update. Raises ValidationException if there is too much."""
    merged = package.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
    for key in request.get("CustomerMetadataPropertiesToRemove", []):
        merged.pop(key, None)
    if len(merged) > MAX_METADATA:
        raise ValidationException(
            f"CustomerMetadataProperties would have {len(merged)} entries, {MAX_METADATA} are allowed"
        )
    return dict(merged)


def _name(package: Json) -> str:
    return str(package.get("ModelPackageName") or package["ModelPackageGroupName"])


def _answer(what: str, found: list[Json], request: Json, identity: str, name: str | None) -> Json:
    """One page of summaries of groups or packages."""
    keys: dict[str, Callable[[Json], Any]] = {
        "CreationTime": lambda item: item["CreationTime"],
        "Name": lambda item: item[name] if name else _name(item),
    }
    shown, more = page(found, request, identity=lambda item: str(item[identity]), keys=keys, descending=False)
    members = validation.service_model().shape_for(f"{what}Summary").members  # type: ignore[attr-defined]
    summaries = [{key: value for key, value in item.items() if key in members} for item in shown]
    return {f"{what}SummaryList": summaries, **more}
