"""What SageMaker's serving containers do where a model's code has no `input_fn`, `predict_fn` or `output_fn`.

Sources: sagemaker_containers 2.8.6 and sagemaker_sklearn_container (scikit-learn), the encoder of
sagemaker_xgboost_container (XGBoost), sagemaker_pytorch_serving_container (PyTorch), and the default
handler of sagemaker_inference (any other image). Python 3.8; the standard library, numpy, and the framework
of the image.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from handsoff_rows import CSV, JSON, TEXTS, NoNumber

NPY = "application/x-npy"
"""An array as numpy.save writes it."""


class NoDefault(Exception):
    """A function that the model's code needs and does not have. The message says which, and what to do."""


def functions(framework: str | None) -> dict[str, Callable[..., Any]]:
    """`input_fn`, `predict_fn`, `output_fn`, and `model_fn` where the framework's container has one.

    `framework` is sklearn, xgboost, pytorch, or None for an image that nothing is known about.
    """
    known: dict[str | None, dict[str, Callable[..., Any]]] = {
        "sklearn": {"input_fn": _sklearn_input, "predict_fn": _predict, "output_fn": _output},
        "xgboost": {"input_fn": _xgboost_input, "predict_fn": _xgboost_predict, "output_fn": _output},
        "pytorch": {
            "model_fn": _pytorch_model,
            "input_fn": _pytorch_input,
            "predict_fn": _pytorch_predict,
            "output_fn": _pytorch_output,
        },
    }
    return known.get(framework, {"input_fn": _plain_input, "output_fn": _plain_output})


def _refused(content_type: str, function: str, taken: str = f"{CSV}, {JSON} and {NPY}") -> NoDefault:
    return NoDefault(
        f"the image's own {function} takes {taken}, not {content_type}: "
        f"write {function} in the entry point, or change `inference` in handsoff.yaml"
    )


def _npy(body: Any) -> Any:
    return np.load(io.BytesIO(body), allow_pickle=False)


def _decoded(body: Any, content_type: str) -> Any:
    """As sagemaker_containers decodes: the values of CSV stay text if one of them is no number."""
    if content_type == NPY:
        return _npy(body)
    if content_type == JSON:
        return np.array(json.loads(body))
    if content_type != CSV:
        raise _refused(content_type, "input_fn")
    cells = np.array(list(csv.reader(io.StringIO(body), strict=True))).squeeze()
    try:
        return cells.astype(None)
    except ValueError:
        return cells


def _sklearn_input(body: Any, content_type: str) -> Any:
    found = _decoded(body, content_type)
    return _numbers(found, np.float32) if content_type in TEXTS else found


def _numbers(values: Any, kind: Any) -> Any:
    """The array as numbers. Raises NoNumber for the first cell that is none, and tells no value of it."""
    try:
        return values.astype(kind)
    except (TypeError, ValueError):
        for place, value in np.ndenumerate(values):
            try:
                float(value)
            except (TypeError, ValueError):
                line, column = (*place, 0, 0)[:2]
                empty = value is None or value == ""
                raise NoNumber(line, column, empty=empty, by_image=True) from None
        raise


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _encoded(prediction: Any, accept: str) -> Any:
    """As sagemaker_containers encodes: each value of a list is a line of CSV."""
    if accept == NPY:
        return _saved(prediction)
    if accept == JSON:
        return json.dumps(prediction, default=lambda value: value.tolist())
    if accept != CSV:
        raise _refused(accept, "output_fn")
    array = np.array(prediction)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", strict=True).writerows(
        array.reshape(-1, 1) if array.ndim == 1 else array
    )
    return stream.getvalue()


def _saved(prediction: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, prediction)
    return stream.getvalue()


def _output(prediction: Any, accept: str) -> Any:
    return _encoded(prediction, accept), accept


def _xgboost_input(body: Any, content_type: str) -> Any:
    kind = content_type.split(";")[0].strip().lower()
    if kind != CSV:
        raise _refused(content_type, "input_fn", CSV)
    lines = body.decode() if isinstance(body, bytes) else body
    found = csv.Sniffer().sniff(lines.split("\n")[0][:512]).delimiter
    delimiter = "," if found.isalnum() else found
    cells = [[cell or "nan" for cell in line.split(delimiter)] for line in lines.split("\n")]
    return importlib.import_module("xgboost").DMatrix(_numbers(np.array(cells), None))


def _xgboost_predict(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def _plain_decoded(body: Any, content_type: str) -> Any:
    """As sagemaker_inference decodes: each column of CSV has the type of its values.

    A missing value is NaN, and -1 in a column of whole numbers.
    """
    if content_type == NPY:
        return _npy(body)
    if content_type == JSON:
        return np.array(json.loads(body))
    if content_type != CSV:
        raise _refused(content_type, "input_fn")
    return np.genfromtxt(io.StringIO(body), dtype=None, delimiter=",")


def _plain_encoded(prediction: Any, accept: str) -> Any:
    if accept != CSV:
        return _encoded(prediction, accept)
    stream = io.StringIO()
    np.savetxt(stream, prediction, delimiter=",", fmt="%s")
    return stream.getvalue()


def _plain_input(body: Any, content_type: str) -> Any:
    return _plain_decoded(body, content_type)


def _plain_output(prediction: Any, accept: str) -> Any:
    return _plain_encoded(prediction, accept), accept


def _pytorch_model(folder: str) -> Any:
    torch = importlib.import_module("torch")
    path = os.path.join(folder, "model.pt")
    if not os.path.exists(path):
        found = [name for name in sorted(os.listdir(folder)) if name.endswith((".pt", ".pth"))]
        if len(found) != 1:
            raise NoDefault(
                "the entry point has no model_fn, and the image's own loads the one .pt or .pth file of "
                f"the model; the model has {len(found)} of them: write model_fn"
            )
        path = os.path.join(folder, found[0])
    return torch.jit.load(path, map_location="cpu")


def _pytorch_input(body: Any, content_type: str) -> Any:
    torch = importlib.import_module("torch")
    array = _plain_decoded(body, content_type)
    return torch.FloatTensor(array) if content_type in TEXTS else torch.from_numpy(array)


def _pytorch_predict(data: Any, model: Any) -> Any:
    torch = importlib.import_module("torch")
    with torch.no_grad():
        model.eval()
        return model(data)


def _pytorch_output(prediction: Any, accept: str) -> Any:
    if hasattr(prediction, "detach"):
        prediction = prediction.detach().cpu().numpy().tolist()
    return _plain_encoded(prediction, accept), accept
