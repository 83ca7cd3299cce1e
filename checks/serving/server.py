"""Answers requests with the serving code of SageMaker's scikit-learn image. Runs in .venv-serving.

Arguments: the folder of an unpacked artifact, and `single` or `multi`. A line of standard input is a request:
a JSON object with `headers` and a `body` in base64. A line of standard output is its answer: `status`, `type`
and `body`.

The image's own package, sagemaker_sklearn_container, is not on PyPI. Its `serving.main` makes the application
of `single`, and its `handler_service` the one of `multi`, from the two packages that are.
"""

from __future__ import annotations

import base64
import collections
import collections.abc
import importlib
import json
import logging
import os
import sys
from types import SimpleNamespace
from typing import Any

collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined] # the image patches it, too


def single(folder: str) -> Any:
    """The Flask application of an endpoint with one model, and of batch transform."""
    transformer = importlib.import_module("sagemaker_containers._transformer")
    worker = importlib.import_module("sagemaker_containers._worker")
    inference = importlib.import_module("inference")
    found = transformer.Transformer(
        model_fn=lambda _: inference.model_fn(folder),
        input_fn=inference.input_fn,
        predict_fn=inference.predict_fn,
        output_fn=inference.output_fn,
    )
    found.initialize()
    client = worker.Worker(transform_fn=found.transform, module_name="inference").test_client()

    def answer(headers: dict[str, str], body: bytes) -> dict[str, Any]:
        given = client.post("/invocations", data=body, headers=headers)
        return {"status": given.status_code, "type": given.mimetype, "body": given.get_data(as_text=True)}

    return answer


class Context:
    """The part of multi-model-server's context that a transformer uses."""

    def __init__(self, folder: str, headers: dict[str, str]) -> None:
        self.system_properties = {"model_dir": folder}
        self.request_processor = [SimpleNamespace(get_request_properties=lambda: headers)]
        self.status, self.type = 200, ""

    def set_response_status(self, code: int, phrase: str) -> None:
        if "\n" in phrase:
            raise ValueError(f"the phrase of status {code} has several lines")
        self.status = code

    def set_response_content_type(self, index: int, value: str) -> None:
        if index != 0:
            raise ValueError(f"there is one request, and no number {index}")
        self.type = value


def multi(folder: str) -> Any:
    """The transformer of an endpoint with many models."""
    transformer = importlib.import_module("sagemaker_inference.transformer").Transformer()

    def answer(headers: dict[str, str], body: bytes) -> dict[str, Any]:
        context = Context(folder, headers)
        (text,) = transformer.transform([{"body": body}], context)
        return {"status": context.status, "type": context.type, "body": text}

    return answer


def main(folder: str, kind: str) -> None:
    """Answer the requests on standard input."""
    os.environ |= {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_BASE_DIR": folder}
    if kind == "multi":
        os.environ["SAGEMAKER_MULTI_MODEL"] = "true"
    sys.path.insert(0, os.path.join(folder, "code"))
    answers, sys.stdout = sys.stdout, sys.stderr
    answer = {"single": single, "multi": multi}[kind](folder)
    logging.disable()
    for line in sys.stdin:
        request = json.loads(line)
        print(
            json.dumps(answer(request["headers"], base64.b64decode(request["body"]))),
            file=answers,
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
