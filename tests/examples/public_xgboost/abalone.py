# mypy: ignore-errors
"""A script-mode example for SageMaker's XGBoost image, which knows nothing of handsoff.

Its form is that of the abalone example of AWS's public documentation and notebooks: arguments with
underscores, SM_HOSTS, SM_CHANNEL_*, the label in the first column, a pickled booster named xgboost-model, and
`model_fn` alone, so that the image's own input_fn, predict_fn and output_fn serve it. Its input is Parquet.
"""

import argparse
import json
import logging
import os
import pickle

import pandas as pd
import xgboost as xgb


def matrix(folder):
    """The rows of a channel, whose first column is the label."""
    rows = pd.read_parquet(folder)
    return xgb.DMatrix(rows.iloc[:, 1:].to_numpy(float), label=rows.iloc[:, 0].to_numpy(float))


def model_fn(model_dir):
    """The booster that the script has pickled."""
    with open(os.path.join(model_dir, "xgboost-model"), "rb") as file:
        return pickle.load(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max_depth", type=int)
    parser.add_argument("--eta", type=float)
    parser.add_argument("--gamma", type=int)
    parser.add_argument("--min_child_weight", type=int)
    parser.add_argument("--subsample", type=float)
    parser.add_argument("--verbosity", type=int)
    parser.add_argument("--objective", type=str)
    parser.add_argument("--num_round", type=int)
    parser.add_argument("--tree_method", type=str, default="auto")
    parser.add_argument("--sm_hosts", type=str, default=os.environ.get("SM_HOSTS"))
    parser.add_argument("--sm_current_host", type=str, default=os.environ.get("SM_CURRENT_HOST"))
    parser.add_argument("--output_data_dir", type=str, default=os.environ.get("SM_OUTPUT_DATA_DIR"))
    parser.add_argument("--model_dir", type=str, default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", type=str, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", type=str, default=os.environ.get("SM_CHANNEL_VALIDATION"))
    arguments, _ = parser.parse_known_args()

    names = ("max_depth", "eta", "gamma", "min_child_weight", "subsample", "verbosity", "objective")
    settings = {name: getattr(arguments, name) for name in (*names, "tree_method")}
    train, validation = matrix(arguments.train), matrix(arguments.validation)
    hosts = json.loads(arguments.sm_hosts)
    logging.info("host %s of %s", arguments.sm_current_host, hosts)
    booster = xgb.train(
        settings,
        train,
        num_boost_round=arguments.num_round,
        evals=[(train, "train"), (validation, "validation")],
    )
    if arguments.sm_current_host == hosts[0]:
        with open(os.path.join(arguments.model_dir, "xgboost-model"), "wb") as file:
            pickle.dump(booster, file)
        with open(os.path.join(arguments.output_data_dir, "dump.txt"), "w") as file:
            file.write(booster.get_dump()[0])
