"""Write data/diabetes.csv: 442 patients and how far their disease has come after a year.

    python make_data.py [FOLDER]

The data is that of Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression" (2004), out of
scikit-learn, which this needs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.datasets import load_diabetes


def main(folder: Path) -> None:
    """Write the file below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = load_diabetes(as_frame=True, scaled=False).frame
    rows.to_csv(folder / "diabetes.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
