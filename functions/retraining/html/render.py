"""Renders the templates in pages/ with Jinja2. Everything that is not our own markup is escaped."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from retraining.html.wording import moment_text, plain

PAGES: Final = Path(__file__).parent / "pages"
"""The templates, and the one style sheet, which stands in every page."""


def render(template: str, **values: Any) -> str:
    """The HTML of a template. A value that the template names and that is not given raises UndefinedError."""
    return _environment().get_template(template).render(values)


@cache
def content_security_policy() -> str:
    """What a browser may do with a page: show it with our own style and pictures, and send its form to us."""
    return "; ".join((*_shown(), "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"))


@cache
def policy_of_files() -> str:
    """What a browser may do with a file of ours: show it with our own style and its pictures.

    It stands in the file itself, where `frame-ancestors` has no effect.
    """
    return "; ".join((*_shown(), "form-action 'none'", "base-uri 'none'"))


def _shown() -> tuple[str, ...]:
    style = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return ("default-src 'none'", f"style-src 'sha256-{style}'", "img-src data:")


def load_templates() -> None:
    """Compile all templates, which is otherwise done at the first use of each."""
    for name in _environment().list_templates(["html"]):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    """Jinja2 for our pages. `plain` also removes invisible characters from every value."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
    )
    environment.filters["moment"] = _moment
    environment.globals["style"] = Markup(_style())  # nosec B704 # noqa: S704 - our own file
    return environment


@cache
def _style() -> str:
    return (PAGES / "style.css").read_text()


def _moment(at: datetime) -> Markup:
    """A time in UTC, for people and for programs."""
    utc = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), moment_text(utc))
