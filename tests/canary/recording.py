"""Keeps everything that the functions write, by where they write it, and searches it."""

from __future__ import annotations

import logging
import re
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, get_args

from retraining.links import Kind, LinkInvalid, Links

READS = frozenset({"get_object", "get_item", "head_object", "list_object_versions", "describe_model_package"})
"""Calls that write nothing: what they ask for is left out."""

TOKEN = re.compile(r"(?:\.|(?<![A-Za-z0-9_-]))[A-Za-z0-9_-]{10,}+(?:\.[A-Za-z0-9_-]+){2}")
"""What might be the signed part of a link. A run of its characters is tried once, from its beginning."""


@dataclass
class Written:
    """Texts by sink: `ledger`, `s3`, `sns email`, `sns json`, `slack`, `logs`, `output`, `errors`, …"""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, sink: str, value: object) -> None:
        """Keep a value as text; bytes also as they read in UTF-8."""
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        self.texts[sink].append(text)

    def sinks_with(self, secret: str) -> set[str]:
        """Where this text stands."""
        return {sink for sink, texts in self.texts.items() if any(secret in text for text in texts)}

    def sinks_with_links(self, links: Links) -> set[str]:
        """Where the signed part of a link or a form stands that this deployment has made."""
        return {
            sink
            for sink, texts in self.texts.items()
            if any(_ours(token, links) for text in texts for token in TOKEN.findall(text))
        }

    def client(self, sink: str, inner: Any) -> Any:
        """The client, whose calls that write are kept."""
        return _Kept(self, sink, inner)

    def attempt(self, act: Callable[[], object]) -> None:
        """Do it; keep all that its exception could show."""
        try:
            act()
        except Exception as error:
            self.keep("errors", shown(error))

    @contextmanager
    def logs(self) -> Iterator[None]:
        """Keep what any logger says, from DEBUG on."""
        kept = self

        class Keeping(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                kept.keep("logs", f"{record.getMessage()} {vars(record)} {self.format(record)}")

        keeping, root = Keeping(), logging.getLogger()
        level = root.level
        root.addHandler(keeping)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(keeping)
            root.setLevel(level)


def shown(error: BaseException | None) -> str:
    """Everything that a traceback, a debugger or a collector of errors could show of an exception."""
    texts: list[str] = []
    while error is not None:
        notes = getattr(error, "__notes__", [])
        texts += [*traceback.format_exception(error), repr(error), repr(error.args), *notes]
        texts += [repr(value) for value in vars(error).values()]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def _ours(token: str, links: Links) -> bool:
    try:
        return bool(links.kind(token, get_args(Kind)))
    except LinkInvalid:
        return False


class _Kept:
    """Wraps a client."""

    def __init__(self, written: Written, sink: str, inner: Any) -> None:
        self._written, self._sink, self._inner = written, sink, inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in READS or name == "get_paginator":
            return found

        def call(*arguments: Any, **given: Any) -> Any:
            for value in (*arguments, *given.values()):
                self._written.keep(self._sink, value)
            return found(*arguments, **given)

        return call
