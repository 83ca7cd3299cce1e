"""Write the pages of docs/reference/ that say what the code says: python docs/make/reference.py [--check]

Each template of docs/make/templates/ becomes the page of its name. Templates hold what people wrote. Tables
and samples come from the code: keys from the models and the docstrings below their fields, commands from the
command line, samples from events/ and tests/samples/. With --check nothing is written, and the exit code is 1
if a page would change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin
from unittest.mock import patch

import jinja2
import typer
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click
from typer.main import get_command

from handsoff.cli import app
from handsoff.config_schema import config_schema, docstrings, plain_schema
from retraining import evidence
from retraining.aws import events, landings, measures, pipelines
from retraining.config import rules, schema
from retraining.notifications import bus
from retraining.notifications.messages import Kind, Notification
from tests.review import stage

ROOT: Final = Path(__file__).parents[2]
TEMPLATES: Final = ROOT / "docs" / "make" / "templates"
PAGES: Final = ROOT / "docs" / "reference"

MOMENT: Final = datetime(2026, 11, 23, 7, tzinfo=UTC)
"""The time at which samples are made, so that they are the same each time."""


class Undescribed(Exception):
    """The code and a page's words disagree: a key has no meaning, or a meaning has no key."""


# ---- keys of models ---------------------------------------------------------------------------------------


def rows(model: type[BaseModel], prefix: str = "", without: Sequence[str] = ()) -> Iterator[Sequence[str]]:
    """Key, meaning, values and default of each field of a model, and of the models inside it.

    `prefix` stands before each key; `without` names fields that are left out. A field that is a model itself
    has a row only if a docstring stands below it. Raises Undescribed for any other field without one.
    """
    meanings, properties = docstrings(model), plain_schema(model)["properties"]
    for name, field in model.model_fields.items():
        key, inner = field.alias or name, models_in(field.annotation)
        if name in without or field.exclude:
            continue
        if name in meanings:
            values = "a mapping" if inner else words(properties[key])
            yield f"`{prefix}{key}`", meanings[name], values, default(field)
        elif not inner:
            raise Undescribed(f"{model.__name__}.{name} has no docstring below it: say there what it means")
        for each in inner:
            yield from rows(each, f"{prefix}{key}.")


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The model that a field is, or the models of its union; none for a list or a mapping of models."""
    is_union = get_origin(annotation) in (Union, UnionType)
    parts = [part for part in get_args(annotation) if part is not NoneType] if is_union else [annotation]
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]


def default(field: FieldInfo) -> str:
    """A field's default as handsoff.yaml would say it."""
    value = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if value is None or value in ((), {}):
        return "–"
    if isinstance(value, timedelta):
        units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
        unit = next((unit for unit, length in units.items() if value and not value % length), "s")
        return f"`{value // units.get(unit, timedelta(seconds=1))}{unit}`"
    if isinstance(value, BaseModel):
        said = ", ".join(f"{name}: {each}" for name, each in value.model_dump(mode="json").items())
        return f"`{{{said}}}`"
    return f"`{value}`".lower() if isinstance(value, bool) else f"`{value}`"


PLAIN: Final = {
    "string": "text",
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping of names to values",
    "duration": "a duration",
    "date-time": "a time",
}
"""JSON schema's types and formats, as people say them."""

LIMITS: Final = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "of at most {} characters",
    "maxItems": "(at most {} entries)",
    "maxProperties": "(at most {} entries)",
}
"""JSON schema's limits, as people say them."""


def words(property_: Mapping[str, Any]) -> str:
    """The values that a property of a JSON schema takes, in words."""
    match property_:
        case {"anyOf": [one, {"type": "null"}], **rest}:
            nullable = rest.get("default") is not None
            return words(one) + (" or `null`" if nullable else "")
        case {"anyOf": [one, *others, {"type": "null"}]}:
            return " or ".join(map(words, (one, *others)))
        case {"description": str(said)}:
            return said
        case {"enum": list(values)}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"format": str(form)}:
            return PLAIN[form]
        case {"pattern": str(pattern)}:
            said = f"`{pattern.removeprefix('^').removesuffix('$')}`"
        case {"type": "array", "items": items}:
            said = f"a list, each entry {words(items)}"
        case {"$ref": _} | {"oneOf": _}:
            return "a mapping"
        case _:
            said = PLAIN[property_["type"]]
    limits = [text.format(f"{property_[key]:g}") for key, text in LIMITS.items() if key in property_]
    return " ".join([said, *limits])


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, ["---"] * len(header), *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def keys(model: type[BaseModel], prefix: str = "", without: Sequence[str] = (), columns: int = 4) -> str:
    """The table of a model's keys, with the first of the columns key, meaning, values and default."""
    lines = [row[:columns] for row in rows(model, prefix, without)]
    return table(("key", "meaning", "values", "default")[:columns], lines)


# ---- samples ----------------------------------------------------------------------------------------------


def described(
    found: Iterable[str],
    meanings: Mapping[str, str | Sequence[str]],
    header: Sequence[str] = ("key", "value"),
) -> str:
    """The table of keys that the code has. Raises Undescribed unless `meanings` are of just these keys."""
    names = set(found)
    if names != meanings.keys():
        missing, unknown = sorted(names - meanings.keys()), sorted(meanings.keys() - names)
        raise Undescribed(f"say in the template what {missing} means, and remove {unknown}")
    cells = [[said] if isinstance(said, str) else said for said in meanings.values()]
    return table(header, [[f"`{key}`", *line] for key, line in zip(meanings, cells, strict=True)])


def as_json(sample: object) -> str:
    """A fenced block of JSON, with numbers to six decimals: the last digits depend on the machine."""
    rounded = json.loads(json.dumps(sample), parse_float=lambda digits: round(float(digits), 6))
    return f"```json\n{json.dumps(rounded, indent=2, ensure_ascii=False)}\n```"


def event(name: str) -> dict[str, Any]:
    """An example of events/."""
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def read_of(model: type[BaseModel], sample: Mapping[str, Any], absent: bool = False) -> dict[str, Any]:
    """What a program reads of a message: the fields of its model; with `absent`, those that are null, too."""
    return model.model_validate(sample).model_dump(mode="json", by_alias=True, exclude_none=not absent)


def evidence_sample() -> dict[str, Any]:
    """The evidence of the review page's candidate, whose evaluation is tests/samples/evaluation.json."""
    with patch.object(stage, "NOW", MOMENT):
        using = stage.Stage().using
        execution = pipelines.describe(using.sagemaker, stage.EXECUTION)
        return evidence.gather(using.sources, "titanic", execution)


def event_schemas() -> dict[Path, str]:
    """The JSON Schemas of the events that this project sends, by their files."""
    found = {}
    for kind in bus.EVENTS:
        name = f"{kind.detail_type.lower().replace(' ', '-')}.schema.json"
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **kind.model_json_schema(by_alias=True),
            "title": f"detail of {kind.detail_type}",
        }
        for property_ in schema["properties"].values():
            property_.pop("title", None)  # the name in other letters
        for field, meaning in docstrings(kind).items():
            property_ = schema["properties"][to_camel(field)]
            schema["properties"][to_camel(field)] = dict(
                sorted({**property_, "description": meaning}.items())
            )
        found[PAGES / "events" / name] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return found


def metrics() -> str:
    """The table of the functions' metrics."""
    lines = [
        (
            f"`{name}`",
            metric.says,
            ", ".join(
                " and ".join(f"`{key}`" for key in names) if names else "all models" for names in metric.sets
            ),
            ", ".join(f"`{function}`" for function in metric.by),
        )
        for name, metric in measures.METRICS.items()
    ]
    return table(("metric", "counts, or measures in seconds", "values for", "sent by"), lines)


# ---- commands ---------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, Any]]:
    """Each command of the command line with its full name, in the order of its registration."""
    found: list[tuple[str, Any]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(f"{name} {part}", one) for part, one in inner.items()] if inner else [(name, command)]
    return found


def overview() -> str:
    """The table of all commands with the first sentence of their help."""
    first = [" ".join((command.help or "").split("\n\n")[0].split()) for _, command in commands()]
    lines = [(f"`handsoff {name}`", said) for (name, _), said in zip(commands(), first, strict=True)]
    return table(("command", "what it does"), lines)


def manual() -> str:
    """Usage, arguments and options: of `handsoff` itself, then of each command."""
    root = get_command(app)
    context = typer.Context(root)
    whole = get_docs_for_click(obj=root, ctx=context, indent=1, name="handsoff")
    pages = [whole.partition("**Commands**")[0]]
    for name, command in commands():
        pages.append(get_docs_for_click(obj=command, ctx=context, indent=1, name=f"handsoff {name}"))
    return "\n".join(page.rstrip() + "\n" for page in pages).rstrip()


# ---- pages ------------------------------------------------------------------------------------------------

NAMES: Final = {
    **{"schema": schema, "rules": rules, "events": events, "landings": landings},
    **{"kinds": get_args(Kind), "Notification": Notification},
    **{"keys": keys, "described": described, "as_json": as_json, "event": event, "read_of": read_of},
    **{"evidence_sample": evidence_sample, "bus": bus},
    **{"evidence_schema": lambda: json.dumps(evidence.json_schema(), indent=1, ensure_ascii=False)},
    **{"config_schema": lambda: json.dumps(config_schema(), indent=1, ensure_ascii=False)},
    **{"metrics": metrics, "namespace": measures.NAMESPACE},
    **{"overview": overview, "manual": manual, "from_json": json.loads},
}
"""What templates may use."""


def rendered() -> dict[Path, str]:
    """Each generated page with its text."""
    environment = jinja2.Environment(  # noqa: S701 - Markdown, from this repository's own words
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.globals |= NAMES
    names = environment.list_templates(extensions=["j2"])
    pages = {PAGES / name.removesuffix(".j2"): environment.get_template(name).render() for name in names}
    return pages | event_schemas()


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check only compare them; the exit code."""
    check = "--check" in arguments
    try:
        pages = rendered().items()
    except Undescribed as error:
        print(error, file=sys.stderr)
        return 1
    stale = {page: text for page, text in pages if not page.exists() or page.read_text("utf-8") != text}
    for page, text in stale.items():
        name = page.relative_to(ROOT)
        if check:
            print(f"{name} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
            print(f"{name} is written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
