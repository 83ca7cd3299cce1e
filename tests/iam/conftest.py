"""One AWS on this machine that enforces IAM, in which the whole loop has happened once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import operator_user
from local.ministack.iam import journal as iam_journal
from tests.iam import stories
from tests.loop.conftest import Loop, deployed
from tests.loop.visitors import slack_app


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Loop]:
    """Deployed by the administrator, and enforced for everybody else."""
    folder = tmp_path_factory.mktemp("iam")
    with deployed(stories.MODELS, folder, ready_build, enforce_iam=True) as found:
        operator_user.make(found.cloud, prefix="handsoff")
        yield found


@pytest.fixture(scope="module")
def happened(loop: Loop) -> Iterator[dict[str, Any]]:
    """All stories, told to their ends: what each of them found, by its name."""
    with slack_app(loop) as slack:
        yield stories.tell(loop, slack)


@pytest.fixture(scope="module")
def journal(loop: Loop, happened: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG001 - it has happened
    """What IAM was asked until then, and what it answered."""
    return iam_journal.read(loop.cloud.folder)
