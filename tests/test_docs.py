"""The pages that people read: nothing left to fill in, and every file and command that they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session
from typer.main import get_command

from handsoff.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

AWS_OPTIONS = {
    "--query",
    "--output",
    "--profile",
    "--region",
    "--endpoint-url",
    "--max-items",
    "--cli-input-json",
}
"""What the aws command line takes with every command of a service."""

AWS_RENAMED = {"--notification-endpoint"}
"""Options that it calls otherwise than the service."""

AWS_OWN = {"configure", "sso", "s3"}
"""Its commands that are no operation of a service."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_finished_and_names_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"[A-Z]+_TABLE|TODO|FIXME", text)
    named = set(
        re.findall(
            r"(?<![\w/.])(?:docs|bench|local|functions|pipeline_def|handsoff|terraform|tests)"
            r"/[\w/.-]+\.(?:py|md|yaml|json|tf)\b",
            text,
        )
    )
    later = {"functions/notify_teams.py"}  # the one that a reader is told to add
    # by handsoff render, and by whoever keeps the state in a bucket
    made = {"terraform/handsoff.auto.tfvars.json", "terraform/backend_override.tf"}
    assert {name for name in named - later - made if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_on_a_page_exist_with_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {
        f"{program} {' '.join(words)}: {problem}"
        for program, words, options in commands(text)
        for problem in {"handsoff": wrong_of_handsoff, "aws": wrong_of_aws, "make": wrong_of_make}[program](
            words, options
        )
    }
    assert wrong == set()


def test_commands_are_found_wherever_they_stand() -> None:
    text = """\
```sh
X=$(aws iam list-users --query 'Users[?contains(A, `b`)]') # aws nothing at-all
for q in a b; do handsoff status --json | make down; done
eval "$(handsoff local env --user "$(aws sts get-caller-identity --output text)")"
```
and `handsoff
start titanic` but not handsoff land.
"""
    assert sorted(commands(text)) == [
        ("aws", ["iam", "list-users"], ["--query"]),
        ("aws", ["sts", "get-caller-identity"], ["--output"]),
        ("handsoff", ["local", "env"], ["--user"]),
        ("handsoff", ["start", "titanic"], []),
        ("handsoff", ["status"], ["--json"]),
        ("make", ["down"], []),
    ]
    assert list(wrong_of_aws(["iam", "list-user"], [])) == ["no such operation"]
    assert list(wrong_of_aws(["iam", "list-users"], ["--name"])) == ["no option --name"]
    assert list(wrong_of_handsoff(["status"], ["--jason"])) == ["no option --jason"]
    assert list(wrong_of_handsoff(["stat"], [])) == ["no such command"]
    assert list(wrong_of_make(["demonstration"], [])) == ["no such target"]


def commands(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each call of a program of ours, of aws or of make in a page's code: its words, then its options."""
    fenced = r"^ *```[a-z]*\n(.*?)^ *```$"
    for body in re.findall(fenced, text, re.MULTILINE | re.DOTALL):
        body = re.sub(r"(?<=\s)#.*$", "", body, flags=re.MULTILINE)
        yield from _calls(body.replace("\\\n", " "))
    for code in re.findall(r"`([^`]+)`", re.sub(fenced, "", text, flags=re.MULTILINE | re.DOTALL)):
        yield from _calls(" ".join(code.split()))


def _calls(code: str) -> Iterator[tuple[str, list[str], list[str]]]:
    code = re.sub(r"'[^']*'", "Q", code)
    while inner := re.search(r"\$\(([^()]*)\)", code):
        yield from _calls(inner[1])
        code = code[: inner.start()] + "Q" + code[inner.end() :]
    code = re.sub(r'"[^"]*"', "Q", code)
    for part in re.split(r"[\n;|&]|\bdo\b", code):
        call = re.match(r"\s*(?:\w+=\S*\s+)*(?:\S*/)?(handsoff|aws|make)((?: .*)?)$", part)
        if not call:
            continue
        tokens = call[2].split()
        words = []
        for token in tokens:
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", token):
                break
            words.append(token)
        if words or "--" in call[2]:
            yield call[1], words, re.findall(r"(?<!\S)--[a-z][a-z-]*", call[2])


def wrong_of_handsoff(words: list[str], options: list[str]) -> Iterator[str]:
    command: Any = get_command(app)
    known = {"--help", *_options(command)}
    for word in words:
        if not hasattr(command, "commands"):
            break
        if word not in command.commands:
            yield "no such command"
            return
        command = command.commands[word]
        known |= _options(command)
    yield from (f"no option {name}" for name in options if name not in known)


def _options(command: Any) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


def wrong_of_make(words: list[str], options: list[str]) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if words and words[0] not in targets:
        yield "no such target"
    yield from (f"no option {name}" for name in options)


def wrong_of_aws(words: list[str], options: list[str]) -> Iterator[str]:
    if len(words) < 2 or words[0] in AWS_OWN:
        return
    operations = _operations("s3" if words[0] == "s3api" else words[0])
    if words[1] not in operations:
        yield "no such operation"
        return
    known = AWS_OPTIONS | AWS_RENAMED | operations[words[1]]
    yield from (f"no option {name}" for name in options if name not in known)


@cache
def _operations(service: str) -> dict[str, set[str]]:
    """The options of each operation of a service, as the aws command line spells them."""
    session = get_session()
    if service not in session.get_available_services():
        return {}
    model = session.get_service_model(service)
    shapes = {name: model.operation_model(name).input_shape for name in model.operation_names}
    return {
        xform_name(name, "-"): {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
        for name, shape in shapes.items()
    }
