"""handsoff.yaml as values, and the line and column of each of them.

Where YAML 1.1 and 1.2 differ, 1.2 is followed, as editors do: dates are text, and 1e3 is a number. A word
that they read differently is kept as a BareWord, for the configuration to refuse where it matters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn, cast

import yaml

from retraining.config.fields import BareWord
from retraining.errors import ConfigError

_BARE: Final = "!bare"
_YAML: Final = "tag:yaml.org,2002:"

_MEANINGS: Final = (
    (
        "mapping values are not allowed",
        "a second colon, or wrong indentation: put the value in quotes, or indent the line as its neighbours",
    ),
    ("could not find expected ':'", "a key without its colon, or wrong indentation"),
    (r"found character '\\t'", "a tab: indent by spaces"),
    (r"found character '(.)'", r"a value that begins with \1: put it in quotes"),
    ("found unexpected end of stream", "a quote that is opened and not closed"),
    ("expected <block end>, but found '<scalar>'", "text after the end of a value: put the whole in quotes"),
    ("expected <block end>", "wrong indentation, or a list among keys: indent the line as its neighbours"),
    ("expected ',' or '([]}])'", r"a list or mapping within \1 that is not closed, or a missing comma"),
    ("expected the node content", "a list or mapping in brackets that is not closed, or an empty entry"),
    (
        "found undefined alias '(.*)'",
        r"*\1 stands for an anchor &\1 that is not defined above: put text that "
        "begins with * in quotes",
    ),
    ("expected alphabetic or numeric character", "a value that begins with * or &: put it in quotes"),
    ("expected a mapping.*for merging", "<< takes a mapping, or a list of them"),
    ("but found another document", "a second document (---): one file holds one"),
)
"""What people write when PyYAML says this, a regular expression."""


@dataclass(frozen=True)
class Written:
    """The values of a file, and the nodes that they were read from."""

    values: object
    root: yaml.Node | None

    def at(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int] | None:
        """Line and column, from 1, of the value at `path`, or of its key; the nearest one above if it has
        none."""
        node, name = self.root, None
        for part in path:
            below = _below(node, part)
            if below is None:
                break
            name, node = below
        found = name if key and name is not None else node
        return None if found is None else (found.start_mark.line + 1, found.start_mark.column + 1)


def _below(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """The nodes of a key (None in a list) and of its value."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == str(part):
                return name, value
        merged = [value for name, value in node.value if name.tag == f"{_YAML}merge"]
        for value in merged:
            for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if found := _below(one, part):
                    return found
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, with 1.1's merge keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}  # type: ignore[misc]


def _bare(_loader: _Loader, node: yaml.ScalarNode) -> BareWord:
    return BareWord(node.value)


def _float(_loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"(?i)\.(inf|nan)", r"\1", node.value))


_DIGITS: Final = "-+0123456789"
_RESOLVERS: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_BARE, r"(?i:yes|no|on|off)", "yYnNoO"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,299})", _DIGITS),
    (_BARE, r"[-+]?(?:0[0-9_]+|0b[01_]+|0o[0-7]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*_[0-9_]*)", _DIGITS),
    (_BARE, r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+", _DIGITS),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", f"{_DIGITS}."),
    ("float", r"[-+]?[0-9]+[eE][-+]?[0-9]+", _DIGITS),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", "<"),
)
"""Tag, regular expression and first characters of each kind of word without quotes, by precedence."""

for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(
        _tag if _tag == _BARE else f"{_YAML}{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )
_Loader.add_constructor(_BARE, _bare)
_Loader.add_constructor(f"{_YAML}float", _float)


def read(path: Path, *, to_publish: bool = True) -> Written:
    """Read a YAML file. Raises ConfigError, which names the file, the line and what is wrong there.

    A file that is not `to_publish` is read as YAML 1.1, as earlier versions read all.
    """
    try:
        data = path.read_bytes()
        text = data.decode()
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: go to the project's folder, name it by --config, or write it by "
            "`handsoff init`"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}, is not written in UTF-8: save it as UTF-8") from None
    return read_text(text, source=str(path), to_publish=to_publish)


def read_text(text: str, *, source: str, to_publish: bool = True) -> Written:
    """The values of a YAML text. Raises ConfigError, which names `source`, the line and what is wrong."""
    try:
        loader = _Loader(text) if to_publish else yaml.SafeLoader(text)
        root = loader.get_single_node()
        problems = list(_problems(root, loader)) if root else []
        if problems:
            _refuse(source, *problems[0])
        return Written(loader.construct_document(root) if root else None, root)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(
            f"{source}, line {line} is not valid YAML: a character that no text has (U+{error.character:04X})"
        ) from None
    except yaml.MarkedYAMLError as error:
        _refuse(source, error.problem_mark, _meaning(error.problem or ""))
    except (RecursionError, ValueError, AttributeError, TypeError):
        raise ConfigError(f"{source} is not valid YAML: it is nested too deeply") from None


def _meaning(problem: str) -> str:
    for pattern, said in _MEANINGS:
        if found := re.match(pattern, problem):
            return found.expand(said)
    return problem


def _refuse(source: str, mark: yaml.Mark | None, problem: str) -> NoReturn:
    at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    raise ConfigError(f"{source}{at} is not valid YAML: {problem}") from None


def _problems(root: yaml.Node, loader: yaml.SafeLoader) -> Iterator[tuple[yaml.Mark, str]]:
    """Keys that are repeated or no words, and tags, in the order of the file."""
    seen: set[int] = set()
    waiting, resolve = [root], cast(Callable[..., str], loader.resolve)
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            usual: tuple[str, ...] = (resolve(yaml.ScalarNode, node.value, (True, False)), f"{_YAML}str")
        else:
            usual = (f"{_YAML}map", f"{_YAML}seq")
        if node.tag not in usual:
            yield node.start_mark, f"the tag {node.tag.replace(_YAML, '!!')} is not taken: remove it"
        if isinstance(node, yaml.MappingNode):
            yield from _key_problems(node)
            waiting += [each for pair in reversed(node.value) for each in reversed(pair)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)


def _key_problems(node: yaml.MappingNode) -> Iterator[tuple[yaml.Mark, str]]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            yield (
                key.start_mark,
                "a list or a mapping stands in the place of a key: put a template in quotes",
            )
        elif key.tag != f"{_YAML}merge":
            if key.value in lines:
                yield key.start_mark, f"the key {key.value} is repeated (first in line {lines[key.value]})"
            lines.setdefault(key.value, key.start_mark.line + 1)
