"""Which key of handsoff.yaml was probably meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_MODEL: Final = ("a model",)
"""How the sections of models stand in an error."""

MAX_LISTED: Final = 20
"""Keys of a section that an error lists."""

VERY_NEAR: Final = 0.75
"""The similarity, from 0 to 1 as difflib measures it, from which one word surely stands for another."""

_OTHER_WORDS: Final = {"min": "low", "max": "high", "start": "from", "since": "from"}
"""Keys that people write for others, where the section has only the others."""

_NEAR: Final = 0.55
"""The least similarity of a key that is suggested."""


def nearest(word: str, words: Sequence[str], least: float = _NEAR) -> str | None:
    """The one of `words` that is spelt most like `word`, in any case; None if none is like it."""
    from difflib import get_close_matches  # only an error needs it

    known = {each.lower(): each for each in words}
    found = get_close_matches(word.lower().replace("-", "_"), known, 1, least)
    return known[found[0]] if found else None


def keys_of(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by the keys that the file has for them."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def sections_at(root: type[BaseModel], at: Sequence[str | int]) -> list[type[BaseModel]]:
    """The sections that may stand at a path of pydantic's, in which tags name the form of a union."""
    kinds: list[Any] = [root]
    for part in at:
        kinds = [below for kind in kinds for below in _below(kind, part)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def instead_of(root: type[BaseModel], at: Sequence[str | int]) -> tuple[str | None, str]:
    """For the path of a key that does not exist: the key that was meant, if it is one of that section's, and
    what to do."""
    key, sections = str(at[-1]), sections_at(root, at[:-1])
    names = [name for section in sections for name in keys_of(section)]
    here = f".{'.'.join(part for part in at[:-1] if isinstance(part, str))}."
    homes = [home for home in _homes(root, key) if f".{home}." not in here and _is_likely(home, here)]
    meant = _OTHER_WORDS.get(key.lower())
    near = meant if meant in names else nearest(key, names, VERY_NEAR if homes else _NEAR)
    if near:
        return near, f"did you mean {near}?"
    if homes and key not in names:
        return None, f"it is a key of {homes[0]}: write it there"
    listed = f", or write one of {', '.join(names)}" if 0 < len(names) <= MAX_LISTED else ""
    return None, f"remove it{listed}"


def _is_likely(home: str, here: str) -> bool:
    """Whether a key at the path `here` may have been meant for `home`: keys of rules have common names."""
    return home != "approval.rules" or ".approval." in here


def _below(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that may stand under a key, at an index, or behind a tag, of a value of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = keys_of(kind)
        if _has_tag(kind, part) or str(part).strip("<>") in fields.keys() - {part}:
            yield kind
        elif part in fields:
            yield from _alternatives(fields[str(part)].annotation)
    elif arguments := [each for each in get_args(kind) if each is not ...]:
        yield from _alternatives(arguments[-1])


def _has_tag(kind: type[BaseModel], part: str | int) -> bool:
    """Whether a field of the section accepts only the value `part`."""
    return any(get_args(field.annotation) == (part,) for field in kind.model_fields.values())


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types of a union, without what Annotated adds to them."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from _alternatives(each)
    elif annotation is not type(None):
        yield annotation


def _homes(section: type[BaseModel], key: str, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Where the sections that have the key stand."""
    if key in keys_of(section):
        yield ".".join(path) or "the top of the file"
    for name, field in keys_of(section).items():
        for kind in _alternatives(field.annotation):
            for one in _sections_of(kind):
                below = (
                    ("a model",) if name == "models" else (name,) if path == ("a model",) else (*path, name)
                )
                yield from _homes(one, key, below)


def _sections_of(kind: Any) -> Iterator[type[BaseModel]]:
    """The section that a type is, or those that it lists or maps names to."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    else:
        for argument in get_args(kind):
            for each in _alternatives(argument):
                if isinstance(each, type) and issubclass(each, BaseModel):
                    yield each
