"""Make examples/*/review-page.png: python docs/make/example_pages.py [MODEL…]

Each example runs on AWS on this machine until its package is decided; the picture shows the package's review
page in headless Chromium. The reports stay in .handsoff/reports/, and their sizes are printed as the table of
docs/how-to/read-the-report.md. It takes some minutes. Times, ids and pixels differ from run to run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from docs.make.browser import photograph
from handsoff.operating.executions import package_of
from handsoff.operating.landing import land, landing_names
from handsoff.operating.reports import report_of, save
from retraining.links import Links
from tests.examples import stories
from tests.loop.builds import build_once
from tests.loop.conftest import Loop, pointed_at, started

WIDTH: Final = 1100
"""CSS pixels, at which verdict and decision stand beside each other."""

REPORTS: Final = stories.ROOT / ".handsoff" / "reports"
"""Where the reports of the examples stay."""

HEIGHT: Final = 900
"""CSS pixels: the decision, the verdict and the first metrics."""


def page_of(loop: Loop, model: str, folder: Path) -> tuple[str, bytes]:
    """Run an example until its package is decided; the address of its review page, and its report."""
    deployment = loop.deployment
    whole = deployment.config.models[model].data.whole
    files = landing_names(stories.write_data(model, folder), None, whole=whole)
    land(deployment, model, files, progress=lambda _path, _sent: None, marker=True)
    execution = loop.settled(model, 1)
    package = package_of(deployment, execution)
    if package is None or package.pending:
        raise RuntimeError(f"{model} has no decided package")
    function = deployment.functions.get_function_configuration(FunctionName="handsoff-review-candidate")
    secret = deployment.session.client("secretsmanager").get_secret_value(
        SecretId=function["Environment"]["Variables"]["LINK_SECRET"]
    )["SecretString"]
    url = Links(secret, deployment.outputs["ReviewUrl"]).url(package.arn)
    return url, report_of(deployment, execution).html


def main(models: list[str]) -> int:
    """Write the pictures; the exit code."""
    chosen = models or list(stories.MODELS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = stories.own_code(Path(scratch, "project"))
        build = build_once(Path(scratch, "build"))
        with (
            started({model: stories.example(model) for model in chosen}, folder, build) as loop,
            pointed_at(loop.cloud),
        ):
            for model in chosen:
                path = stories.EXAMPLES / stories.MODELS[model] / "review-page.png"
                url, report = page_of(loop, model, Path(scratch, model))
                path.write_bytes(photograph(url, WIDTH, HEIGHT))
                save(report, REPORTS / f"{model}.html")
                print(f"| {model} | {report.count(b'<img ')} | {len(report) // 1000} KB |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
