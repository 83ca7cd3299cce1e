"""Write data/train.csv and data/validation.csv: 178 Italian wines of three types, and what is in them.

    python make_data.py [FOLDER]

The data is "Wine" of the UCI Machine Learning Repository (Aeberhard and Forina 1991, CC BY 4.0), out of
scikit-learn, which this needs. Of each type, 35 % are held out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split


def main(folder: Path) -> None:
    """Write the files below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = load_wine(as_frame=True).frame.rename(columns={"target": "type"})
    rows["type"] = rows["type"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
    train, validation = train_test_split(rows, test_size=0.35, stratify=rows["type"], random_state=1)
    for name, part in (("train", train), ("validation", validation)):
        part.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
