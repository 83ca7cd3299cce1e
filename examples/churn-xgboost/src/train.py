"""Train a booster in SageMaker's script mode, and serve it: it knows nothing of handsoff.

In: Parquet files in SM_CHANNEL_TRAIN and SM_CHANNEL_VALIDATION, hyperparameters as arguments.
Out: booster.json and columns.json in SM_MODEL_DIR. The image's server calls the functions below.
"""

import argparse
import io
import json
import os
from pathlib import Path

import pandas as pd
import xgboost as xgb

TARGET, POSITIVE = "left", "yes"
LEFT_OUT = ["customer"]
DATES = ["seen", "joined"]


def features(rows, categories):
    """The columns that the booster sees: dates as days, texts as the categories of training."""
    found = rows.drop(columns=[TARGET, *LEFT_OUT], errors="ignore")
    for name in DATES:
        found[name] = (pd.to_datetime(found[name]) - pd.Timestamp("2020-01-01")).dt.days
    for name, known in categories.items():
        found[name] = pd.Categorical(found[name], categories=known)
    others = [name for name in found if name not in categories]
    found[others] = found[others].astype(float)
    return found


def train(arguments):
    """Fit the booster, and write it with what serving needs."""
    rows, held_out = (pd.read_parquet(folder) for folder in (arguments.train, arguments.validation))
    texts = [name for name in ("plan", "contract") if name in rows]
    categories = {name: sorted(rows[name].dropna().unique()) for name in texts}
    data = {
        name: xgb.DMatrix(features(part, categories), part[TARGET] == POSITIVE, enable_categorical=True)
        for name, part in (("train", rows), ("validation", held_out))
    }
    settings = {
        "objective": "binary:logistic",
        "eval_metric": "auc",
        "max_depth": arguments.max_depth,
        "eta": arguments.eta,
        "tree_method": "hist",
        "nthread": arguments.threads,
        "seed": 1,
    }
    booster = xgb.train(
        settings,
        data["train"],
        arguments.num_round,
        evals=[(data["validation"], "validation")],
        verbose_eval=20,
    )
    folder = Path(arguments.model_dir)
    booster.save_model(folder / "booster.json")
    columns = [name for name in rows if name != TARGET]
    (folder / "columns.json").write_text(json.dumps({"columns": columns, "categories": categories}))


def model_fn(folder):
    """The booster, and the columns that a request has, in their order."""
    booster = xgb.Booster()
    booster.load_model(os.path.join(folder, "booster.json"))
    known = json.loads(Path(folder, "columns.json").read_text())
    return booster, known["columns"], known["categories"]


def input_fn(body, content_type):
    """Lines of CSV without a header; an empty cell is missing."""
    if content_type.split(";")[0] != "text/csv":
        raise ValueError(f"expected text/csv, not {content_type}")
    text = body.decode() if isinstance(body, bytes) else body
    return pd.read_csv(io.StringIO(text), header=None, dtype=str, keep_default_na=False, na_values=[""])


def predict_fn(rows, model):
    """The probability that each customer leaves."""
    booster, columns, categories = model
    rows.columns = columns
    return booster.predict(xgb.DMatrix(features(rows, categories), enable_categorical=True))


def output_fn(found, _accept):
    """A probability in each line."""
    return "".join(f"{value:.9g}\n" for value in found), "text/csv"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-depth", type=int, default=6)
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--num-round", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    train(parser.parse_args())
