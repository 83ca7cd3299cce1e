"""Model package groups and model packages, with the tags of these and of all else that is ours.

moto has these calls too, but wipes what an update leaves out, forgets ClientToken, ModelCard and
ModelLifeCycle, numbers versions by counting and cannot delete a group. Every call would need mending, so it
keeps none of them (tests/local/test_local_moto.py says when that is no longer so).
"""

import threading
from collections.abc import Callable
from typing import Any

from local.sagemaker import events
from local.sagemaker.errors import ConflictException, ValidationException
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.listing import now, page, within
from local.sagemaker.protocol.tokens import Tokens
from local.types import Json

_UPDATED = {"SourceUri": "sourceUri"}  # AWS's own spelling in UpdatedModelPackageFields
_REPLACED = [
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
]


class Registry:
    """The model registry of an account and region."""

    def __init__(self, *, account: str, region: str, emit: events.Emit) -> None:
        self._prefix = f"arn:aws:sagemaker:{region}:{account}"
        self._emit = emit
        self._lock = threading.RLock()
        self._tokens = Tokens()
        self._groups: dict[str, Json] = {}
        self._versions: dict[
            str, int
        ] = {}  # the highest ever given in a group; a deleted one is not given again
        self._packages: dict[str, Json] = {}  # by ARN, as Describe answers

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
        """Set what the request names, keep the rest, merge the metadata."""
        with self._lock:
            package = self._package(request["ModelPackageArn"])
            if not request.keys() - {"ModelPackageArn", "ClientToken"}:
                raise ValidationException("At least one field to update must be provided")
            changed: Json = {member: request[member] for member in _REPLACED if member in request}
            remove = request.get("CustomerMetadataPropertiesToRemove", [])
            if "CustomerMetadataProperties" in request or remove:
                merged = package.get("CustomerMetadataProperties", {}) | request.get(
                    "CustomerMetadataProperties", {}
                )
                merged = {key: value for key, value in merged.items() if key not in remove}
                if len(merged) > 50:
                    raise ValidationException(
                        f"CustomerMetadataProperties would have {len(merged)} entries, 50 are allowed"
                    )
                changed["CustomerMetadataProperties"] = merged
            if more := request.get("AdditionalInferenceSpecificationsToAdd"):
                changed["AdditionalInferenceSpecifications"] = [
                    *package.get("AdditionalInferenceSpecifications", []),
                    *more,
                ]
            arn = package["ModelPackageArn"]
            package = {**package, **changed, "LastModifiedTime": now()}
            self._packages[arn] = package  # a new one: answers given before stay as they were
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

    # What pipelines use as well

    def has_group(self, name: str) -> bool:
        """Whether there is a group of this name or ARN."""
        with self._lock:
            return name.rpartition("/")[2] in self._groups

    def ensure_group(self, name: str) -> None:
        """Make the group if it is not there, as a RegisterModel step does."""
        with self._lock:
            if not self.has_group(name):
                self.create_model_package_group({"ModelPackageGroupName": name.rpartition("/")[2]})

    def has(self, arn: str) -> bool:
        """Whether `arn` is a group's or a package's."""
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
