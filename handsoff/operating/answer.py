"""Answers one request with the model of an unpacked artifact, as its serving container would.

A script of its own, for the Python of an environment that holds what the image holds: a model is a pickle,
and loading it runs code. It needs nothing but the standard library.

Arguments: the artifact's folder, the request's content type, and what it accepts. Standard input is the body,
standard output the answer, a JSON object: `status`, and `body` in text.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def answer(folder: str, content_type: str, accept: str, body: bytes) -> dict[str, Any]:
    """The answer of the four functions that a container calls: model_fn, input_fn, predict_fn, output_fn."""
    code = str(Path(folder, "code"))
    sys.path.insert(0, code)
    serving = importlib.import_module("inference")
    model = serving.model_fn(folder)
    try:
        found = serving.output_fn(serving.predict_fn(serving.input_fn(body, content_type), model), accept)
    except ValueError as error:  # Refused: without a server there is nothing that it could be turned into
        if not hasattr(error, "status"):
            raise
        return {"status": error.status, "body": json.dumps({"error": str(error)})}
    if hasattr(found, "status_code"):  # a response of Flask, where the environment has it
        return {"status": found.status_code, "body": found.get_data(as_text=True)}
    return {"status": 200, "body": found[0]}


def main() -> None:
    """Answer the request on standard input. What the model's code prints goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    folder, content_type, accept = sys.argv[1:4]
    print(json.dumps(answer(folder, content_type, accept, sys.stdin.buffer.read())), file=answers)


if __name__ == "__main__":
    main()
