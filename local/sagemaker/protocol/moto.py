"""Operations of SageMaker that are not implemented here: moto answers them, in this process."""

import logging
import threading
from collections.abc import Mapping

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from local.sagemaker.errors import ServiceError
from local.sagemaker.protocol.validation import service_model

log = logging.getLogger(__name__)


class UnknownOperationException(ServiceError):
    """Neither this package nor moto implements the operation, or not for this request."""


class Moto:
    """moto's SageMaker, imported at the first call. One call at a time, because moto takes no locks."""

    def __init__(self, region: str) -> None:
        self._url = f"https://api.sagemaker.{region}.amazonaws.com/"
        self._lock = threading.Lock()

    def __call__(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The (HTTP status, body) of operation `name`. Raises UnknownOperationException if there is none."""
        if name not in service_model().operation_names:
            raise UnknownOperationException(f"SageMaker has no operation {name[:100]}")
        from moto.core.botocore_stubber import BotocoreStubber

        own = HTTPHeaders()
        for key, value in headers.items():
            own[key] = self._url.split("/")[2] if key == "host" else value
        request = AWSPreparedRequest("POST", self._url, own, body, False)
        with self._lock:
            try:
                answer = BotocoreStubber().process_request(request)
            except NotImplementedError:
                answer = None
            except Exception:  # moto checks no request: what it does not know ends in any error
                log.exception("moto could not answer %s", name)
                answer = None
        if answer is None:
            raise UnknownOperationException(f"{name} is not available on this machine")
        status, _, text = answer
        return status, text if isinstance(text, bytes) else text.encode()
