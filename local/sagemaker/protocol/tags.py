"""AddTags, ListTags and DeleteTags of all resources that are implemented here."""

import threading
from typing import Final

from local.sagemaker.errors import ValidationException
from local.sagemaker.protocol.listing import page
from local.types import Json

MAX_TAGS: Final = 50
"""Tags of one resource (AWS's limit)."""


class Tags:
    """The tags of resources, by ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}

    def add_tags(self, request: Json) -> Json:
        with self._lock:
            tags = self._tags.get(request["ResourceArn"], {}) | {
                tag["Key"]: tag["Value"] for tag in request["Tags"]
            }
            if len(tags) > MAX_TAGS:
                raise ValidationException(
                    f"{request['ResourceArn']} would have {len(tags)} tags, {MAX_TAGS} are allowed"
                )
            self._tags[request["ResourceArn"]] = tags
            return {"Tags": _pairs(tags)}

    def list_tags(self, request: Json) -> Json:
        with self._lock:
            pairs = _pairs(self._tags.get(request["ResourceArn"], {}))
        request = {"MaxResults": MAX_TAGS, **request}
        shown, more = page(
            pairs,
            request,
            identity=lambda pair: pair["Key"],
            keys={"Key": lambda pair: pair["Key"]},
            descending=False,
        )
        return {"Tags": shown, **more}

    def delete_tags(self, request: Json) -> Json:
        with self._lock:
            for key in request["TagKeys"]:
                self._tags.get(request["ResourceArn"], {}).pop(key, None)
            return {}


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
