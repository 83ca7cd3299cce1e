"""The pages that people read: finished, sorted by need, and every file, link and command on them exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from botocore.session import get_session
from typer.testing import CliRunner

from handsoff.cli import app
from retraining.config.schema import parse_config
from tests.commands import get_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.glob("**/*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
"""README and its neighbours, every page of docs/, and those of the examples."""

NEEDS = ("tutorials", "how-to", "reference", "explanation")
"""The folders of docs/, one for each need of a reader (https://diataxis.fr)."""

README_LINES = 150
"""Lines that the README may have; longer text belongs into docs/."""

FENCED = re.compile(r"^ *```[a-z]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
"""A fenced block; the group is its content."""

AWS_OPTIONS = {
    "--query",
    "--output",
    "--profile",
    "--region",
    "--endpoint-url",
    "--max-items",
    "--cli-input-json",
}
"""Options that the aws command line has for every operation of every service."""

AWS_RENAMED = {"--notification-endpoint"}
"""Options whose name in the aws command line differs from the service's API."""

AWS_OWN = {"configure", "sso", "s3"}
"""First words of aws commands that call no single operation of a service; they are not checked."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_each_page_of_docs_is_the_glossary_or_in_one_folder_of_need() -> None:
    places = [page.relative_to(DOCS).parts for page in DOCS.glob("**/*.md")]
    assert [place for place in places if len(place) != 2 or place[0] not in NEEDS] == [("glossary.md",)]
    assert {place[0] for place in places} == {*NEEDS, "glossary.md"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_shows_the_steps_of_the_demo() -> None:
    shown = re.findall(r"^✓ (.+) [\d.]+ s$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    demo = (ROOT / "handsoff" / "demo.py").read_text(encoding="utf-8")
    assert len(shown) > 3
    assert [step for step in shown if step.replace("titanic", "{SAMPLE}") not in demo] == []


def test_the_readme_shows_the_verdict_on_the_sample_as_a_first_model(tmp_path: Path) -> None:
    sample = json.loads((ROOT / "tests" / "samples" / "evaluation.json").read_text())
    sample["handsoff"] |= {"champion": None, "comparison": None, "drift": None}
    (tmp_path / "evaluation.json").write_text(json.dumps(sample))
    judge = ["judge", "--evaluation", str(tmp_path / "evaluation.json"), "--model", "titanic", "--json"]
    answer = CliRunner().invoke(app, ["--config", str(ROOT / "handsoff.yaml"), *judge]).stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\nverdict +(\w+)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert shown[0] == json.loads(answer)["decision"] == "APPROVE"
    assert len(shown[1].splitlines()) > 3
    assert [line for line in shown[1].splitlines() if line.strip() not in answer] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_models_on_a_page_are_valid(page: Path) -> None:
    """A model without a task changes the sample's configuration. An indented block goes below `models:`."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(?:models:\n)?(  \w.*?)^```$", text, re.M | re.S)
    sample = yaml.safe_load((ROOT / "handsoff.yaml").read_text())["models"]
    for block in blocks:
        models = yaml.safe_load(block)
        for name, shown in models.items():
            whole = shown if "task" in shown else merged(sample[name], shown)
            parse_config({"models": {name: whole}}, source=name_of(page))


def test_the_rules_of_the_reference_are_valid() -> None:
    text = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    rules = [yaml.safe_load(rule) for rule in re.findall(r"^\| `(\{.*?\})`", text, re.MULTILINE)]
    sample = yaml.safe_load((ROOT / "handsoff.yaml").read_text())["models"]["titanic"]
    numbers = {"task": "regression", "training": {"estimator": "ridge"}}
    assert len(rules) > 5
    for rule in rules:
        model = merged(sample, numbers) if rule.get("metric") == "rmse" else sample
        parse_config({"models": {"m": {**model, "approval": {"rules": [rule]}}}}, source="rules.md")


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` in their place, at every depth."""
    return values | {
        key: merged(values[key], change) if isinstance(change, dict) and key in values else change
        for key, change in changes.items()
    }


def test_the_readme_leads_to_every_page_of_docs() -> None:
    linked = {(ROOT / target).resolve() for _, target, _ in links(ROOT / "README.md") if target}
    assert {name_of(page) for page in DOCS.glob("**/*.md") if page not in linked} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_to_files_and_anchors(page: Path) -> None:
    broken = []
    for _, target, anchor in links(page):
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or ROOT not in found.parents:
            broken.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(found.read_text(encoding="utf-8")):
            broken.append(f"{target}#{anchor}: no such anchor")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_pictures_of_a_page_are_described(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert [alt for alt in re.findall(r"!\[([^]]*)]\(", text) if len(alt.split()) < 5] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_refers_to_nothing_outside_the_repository(page: Path) -> None:
    assert not re.findall(r"(?<![\w-])shared/|/work/", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_state_diagrams_of_a_page_have_labels_that_mermaid_can_read(page: Path) -> None:
    """A second colon, or a semicolon, ends a transition's label for Mermaid."""
    state = r"(?:\[\*\]|[A-Z][A-Za-z]*)"
    for diagram in re.findall(r"^```mermaid\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        kind, *lines = diagram.splitlines()
        assert kind == "stateDiagram-v2"
        assert [
            line for line in lines if not re.fullmatch(rf" +{state} --> {state}(?:: [^:;]+)?", line)
        ] == []


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("see [a](b.md#c) and [d](#e)", [("a", "b.md", "c"), ("d", "", "e")]),
        ("![a picture](x/y.png)", [("a picture", "x/y.png", "")]),
        ("[out](https://example.org/a#b) [mail](mailto:a@b)", []),
        ("`[code](no.md)`\n```\n[fenced](no.md)\n```\n", []),
    ],
)
def test_links_are_found_outside_code(markdown: str, expected: list[tuple[str, str, str]]) -> None:
    assert list(links_in(markdown)) == expected


def test_anchors_are_those_of_github() -> None:
    text = '# A `b`, c!\n## Same\n## Same\n```\n# no\n```\n<a id="17"></a>**17.**\n### [x](y.md) and_z-w\n'
    assert anchors(text) == {"a-b-c", "same", "same-1", "17", "x-and_z-w"}


def test_the_architecture_page_names_every_room_and_every_output_of_the_stack() -> None:
    text = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    packages = (ROOT / "functions" / "retraining").glob("*/__init__.py")
    rooms = set(re.findall(r"^    (\w+)/ ", text, re.MULTILINE))
    assert {package.parent.name for package in packages} - rooms == set()
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    outputs = re.findall(r"^  (\w+):$", template.partition("\nOutputs:\n")[2], re.MULTILINE)
    (stack,) = re.findall(r"^\| stack \| (.*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", stack)) == set(outputs)


def test_the_architecture_page_names_only_modules_that_exist() -> None:
    text = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    modules = set(re.findall(r"`([\w/]+/\w+\.py)`", text))
    roots = (ROOT, ROOT / "functions" / "retraining")
    assert len(modules) > 3
    assert {name for name in modules if not any((root / name).exists() for root in roots)} == set()


def test_each_decision_has_a_number_a_date_a_status_and_its_reason() -> None:
    text = (DOCS / "explanation" / "decisions.md").read_text(encoding="utf-8")
    row = r"^\| \[(\d+)]\(#\1\) \| (.+) \| \d{4}-\d\d-\d\d \| (.+) \|$"
    index = {int(number): (title, status) for number, title, status in re.findall(row, text, re.MULTILINE)}
    reason = r'<a id="(\d+)"></a>\*\*\1\. ([^*]+)\.\*\*(?: \*(Superseded|Accepted)([^*]*)\.\*)? \S'
    stated = {
        int(number): (title, f"{kind.lower() or 'accepted'}{rest}")
        for number, title, kind, rest in re.findall(reason, " ".join(text.split()))
    }
    assert sorted(index) == list(range(1, len(index) + 1))
    known = r"accepted|superseded by N|accepted, (?:extended|amended) by N(?: and N)?"
    for number, (title, status) in index.items():
        assert re.fullmatch(known, re.sub(r"\[(\d+)]\(#\1\)", "N", status)), number
        assert stated[number] == (title, status)
    assert stated.keys() == index.keys()


def test_each_term_of_the_glossary_stands_once_and_names_code_that_exists() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    terms = [row for row in rows if row[0] not in ("term", "---")]
    names = [term for term, _, _ in terms]
    assert len(names) > 50
    assert sorted({name for name in names if names.count(name) > 1}) == []
    roots = (ROOT, ROOT / "functions" / "retraining")
    code = {place for _, _, where in terms for place in re.findall(r"`([\w/.]+)`", where)}
    assert {place for place in code if not any((root / place).exists() for root in roots)} == set()


def links(page: Path) -> Iterator[tuple[str, str, str]]:
    """The relative links and pictures of a page: text, path as written, anchor."""
    return links_in(page.read_text(encoding="utf-8"))


def links_in(markdown: str) -> Iterator[tuple[str, str, str]]:
    text = re.sub(r"`[^`\n]+`", "", FENCED.sub("", markdown))
    for words, target in re.findall(r"\[([^]]*)]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield words, path, anchor


def anchors(markdown: str) -> set[str]:
    """The anchors of a page, as GitHub makes them from its headings, and those that it sets itself."""
    text = FENCED.sub("", markdown)
    found: list[str] = re.findall(r'<a id="([^"]+)"></a>', text)
    seen: dict[str, int] = {}
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w -]", "", shown.lower()).strip().replace(" ", "-")
        found.append(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
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
    later = {"functions/notify_teams.py"}  # a guide tells the reader to add it
    # written by handsoff render, and by a reader who keeps the state in a bucket
    made = {"terraform/handsoff.auto.tfvars.json", "terraform/backend_override.tf"}
    assert {name for name in named - later - made if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_on_a_page_exist_with_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    problems = {"handsoff": problems_of_handsoff, "aws": problems_of_aws, "make": problems_of_make}
    wrong = {
        f"{program} {' '.join(words)}: {problem}"
        for program, words, options in commands(text)
        for problem in problems[program](words, options)
    }
    assert wrong == set()


def test_commands_are_found_in_blocks_substitutions_and_sentences() -> None:
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
    assert list(problems_of_aws(["iam", "list-user"], [])) == ["no such operation"]
    assert list(problems_of_aws(["iam", "list-users"], ["--name"])) == ["no option --name"]
    assert list(problems_of_handsoff(["status"], ["--jason"])) == ["no option --jason"]
    assert list(problems_of_handsoff(["stat"], [])) == ["no such command"]
    assert list(problems_of_make(["demonstration"], [])) == ["no such target"]


def commands(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each call of handsoff, aws or make in a page's code: the program, its first words, its options."""
    for body in FENCED.findall(text):
        body = re.sub(r"(?<=\s)#.*$", "", body, flags=re.MULTILINE)
        yield from _calls(body.replace("\\\n", " "))
    for code in re.findall(r"`([^`]+)`", FENCED.sub("", text)):
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


def problems_of_handsoff(words: list[str], options: list[str]) -> Iterator[str]:
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


def problems_of_make(words: list[str], options: list[str]) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if words and words[0] not in targets:
        yield "no such target"
    yield from (f"no option {name}" for name in options)


def problems_of_aws(words: list[str], options: list[str]) -> Iterator[str]:
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
