"""AddTags, ListTags and DeleteTags of what is ours."""

import threading

from local.sagemaker.errors import ValidationException
from local.sagemaker.protocol.listing import page
from local.types import Json

LARGEST = 50


class Tags:
    """Tags by ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}

    def add_tags(self, request: Json) -> Json:
        with self._lock:
            tags = self._tags.get(request["ResourceArn"], {}) | {
                tag["Key"]: tag["Value"] for tag in request["Tags"]
            }
            if len(tags) > LARGEST:
                raise ValidationException(
                    f"{request['ResourceArn']} would have {len(tags)} tags, {LARGEST} are allowed"
                )
            self._tags[request["ResourceArn"]] = tags
            return {"Tags": _pairs(tags)}

    def list_tags(self, request: Json) -> Json:
        with self._lock:
            pairs = _pairs(self._tags.get(request["ResourceArn"], {}))
        request = {"MaxResults": LARGEST, **request}
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
