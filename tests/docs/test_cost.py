"""docs/reference/cost.md says what bench/cost.py makes of the stored measurement."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "cost.md"


@pytest.fixture(scope="module")
def cost() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "bench" / "cost.py"))


def test_the_page_holds_what_the_script_prints(cost: dict[str, Any]) -> None:
    stored = json.loads((ROOT / "bench" / "cost.json").read_text())
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition("<!-- bench/cost.py -->\n")[2].partition("\n<!-- end -->")[0] == cost["tables"](
        stored
    )
    assert stored["measured"] in page


def test_a_bill_is_quantities_times_prices(cost: dict[str, Any]) -> None:
    use = cost["Use"]
    measured = {
        "execution": use(events=10, messages=3, writes=16, s3_puts=20, metrics=2),
        "sweep": use(invocations=1, seconds=0.1),
        "object": use(events=1, messages=1, s3_gets=2),
    }
    nothing = cost["bill"](measured, 0, 0)
    assert nothing["Lambda, the sweep each minute"] == pytest.approx(0.00864 + 0.0995, abs=1e-3)
    assert nothing["SQS, the empty queue"] == pytest.approx(0.2592)  # 648,000 requests
    assert nothing["SageMaker"] == nothing["EventBridge"] == nothing["CloudWatch metrics"] == 0
    much = cost["bill"](measured, 10_000, 10_000_000)
    assert much["EventBridge"] == pytest.approx(10.1)
    assert much["SQS, messages"] == pytest.approx(
        0.4 * 1.2 * 10.03
    )  # sent once, received and deleted by tens
    assert much["S3 requests"] == pytest.approx(1.0 + 8.0)
    assert much["DynamoDB"] == pytest.approx(0.1)
    assert much["CloudWatch metrics"] == pytest.approx(0.6)
    assert much["SageMaker"] == pytest.approx(172.5)  # 3 jobs of 3 minutes each
