"""Where messages send readers of the docs."""

from __future__ import annotations

from pathlib import Path

from handsoff.pages import page
from tests.functions.fakes import ROOT


def test_page_lies_with_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "docs" / "how-to").mkdir(parents=True)
    (tmp_path / "docs" / "how-to" / "serve.md").write_text("# Serve")
    assert page("docs/how-to/serve.md#ask", tmp_path) == f"{tmp_path}/docs/how-to/serve.md#ask"


def test_page_of_a_checkout_is_relative_to_it() -> None:
    assert page("docs/how-to/serve.md") == "docs/how-to/serve.md"
    assert (ROOT / "docs" / "how-to" / "serve.md").is_file()
