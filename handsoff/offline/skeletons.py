"""A first inference.py for own code that has no serving functions."""

from __future__ import annotations

import json
from typing import Final

_LOAD: Final = {
    "scikit-learn": ("import joblib", 'joblib.load(os.path.join(model_dir, "model.joblib"))', "model.joblib"),
    "xgboost": ("import xgboost", None, "model.json"),
    "pytorch": ("import torch", 'torch.jit.load(os.path.join(model_dir, "model.pt")).eval()', "model.pt"),
}
"""By image: its import, how a model is loaded (None for a Booster), and the file that is assumed."""

_PREDICT: Final = {
    "scikit-learn": "    return model.predict(rows)",
    "xgboost": "    return model.predict(xgboost.DMatrix(rows))",
    "pytorch": (
        "    with torch.no_grad():\n"
        '        return model(torch.tensor(rows.to_numpy(dtype="float32"))).numpy().ravel()'
    ),
}
"""By image: what a model answers for a table of rows."""


_POSITIVE: Final = """    classes = list(model.classes_)  # sorted, so the positive class may be the first one
    positive = {positive!r}
    return model.predict_proba(rows)[:, classes.index(positive) if positive in classes else 1]"""
"""What scikit-learn's model of two classes answers."""

_TEMPLATE: Final = '''"""Loads the model and answers rows: written by `handsoff init`, to be completed.

What to check:
1. model_fn loads the file that train.py writes to SM_MODEL_DIR: {file}.
2. COLUMNS are those of a request, in its order. predict_fn prepares them as train.py does.
3. predict_fn returns one number for each row: the probability of the positive class, or the value.
`handsoff check` trains and scores with it.
"""

import io
import os

import pandas as pd
{module}

COLUMNS = [
{listed}
]


def model_fn(model_dir):
{loads}


def input_fn(body, content_type):
    text = body.decode() if isinstance(body, bytes) else body
    return pd.read_csv(io.StringIO(text), header=None, names=COLUMNS)


def predict_fn(rows, model):
{predict}


def output_fn(predictions, accept):
    return "\\n".join(str(float(value)) for value in predictions), "text/csv"
'''
"""The text of inference.py; its braces are filled by `str.format`."""


def inference_script(
    image: str,
    columns: list[str],
    model_file: str | None = None,
    *,
    pickles: bool = False,
    positive: str | int | None = None,
) -> str:
    """The text of inference.py for a model of this image whose requests hold these columns.

    `model_file` is what the script writes to the model's folder, and `pickles` whether it does so by pickle.
    `positive` is the positive one of two classes.
    """
    framework = image.partition(":")[0]
    module, load, assumed = _LOAD[framework]
    file = model_file or assumed
    load = load and load.replace(assumed, file)
    if pickles:
        module = f"import pickle\n\n{module}" if framework == "xgboost" else "import pickle"
        load = f'pickle.load(open(os.path.join(model_dir, "{file}"), "rb"))'
    booster = [
        "model = xgboost.Booster()",
        f'model.load_model(os.path.join(model_dir, "{file}"))',
        "return model",
    ]
    loads = "\n".join(f"    {line}" for line in ([f"return {load}"] if load else booster))
    predict = _PREDICT[framework]
    if framework == "scikit-learn" and positive is not None:
        predict = _POSITIVE.format(positive=positive)
    said = f"it writes {file}" if model_file else f"{file} is assumed"
    listed = "\n".join(f"    {json.dumps(name, ensure_ascii=False)}," for name in columns)
    return _TEMPLATE.format(module=module, file=said, loads=loads, listed=listed, predict=predict)
