"""Which words of an error may leave a job: those that stand in the code, never those that quote a row.

Libraries quote values in their messages, and so may own code. A message is told if the code's own texts make
it, or if it is of a kind that speaks of code alone; of any other error its type and its place are told.
Copied beside own training code as well. Python 3.8; the standard library only.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import traceback
from pathlib import Path
from typing import IO

TRACEBACK = "Traceback (most recent call last):"
"""Ends the first line of a traceback."""

HIDDEN = "its message is left out, as it may quote a row: approvers.show_values shows it"
"""What stands for a message that is not told."""

REST = "(lines are left out here, as they may be the rest of a message that quotes a row)"
"""What stands for the lines after an error's first one."""

OF_CODE = re.compile(
    r"(?:ImportError|SyntaxError|IndentationError|TabError): .*|"
    r"\w+: the following arguments are required: .*|[\w./-]+\.py: error: .*|"
    r"(?:ZeroDivisionError: [a-z ]+|RecursionError: maximum recursion depth exceeded.*)"
)
"""Errors whose messages speak of code, packages and hyperparameters."""

OF_NAMES = re.compile(
    r"NameError: name '(\w+)' is not defined.*|"
    r"UnboundLocalError: .*variable '(\w+)'.*|"
    r"AttributeError: (?:module |type object )?'[\w.]+'(?: object)? has no attribute '(\w+)'.*|"
    r"AttributeError: Can't get attribute '(\w+)' on .*|"
    r"TypeError: [\w.]+\(\) (?:got an unexpected keyword argument|missing \d+ required [\w -]+:) '(\w+)'.*"
)
"""Errors that name one name of the code, which must stand there: it may come from a row as well."""

OF_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'.*")
"""Names a module, which the code must import or name: its name may come from a row as well."""

OF_SYSTEM = re.compile(r"(\[Errno \d+\] [A-Za-z ,-]+)(?:: '(.*)')?")
"""A message of the operating system. Its path is told only if the whole stands in the code, else the file's
name if that stands there: folders may have the names of values."""

TYPE = re.compile(
    r"(?:\w+\.)*\w*(?:Error|Exception|Warning|Exit|Interrupt|Iteration|Group|Traceback|Timeout|Empty|Full)\w*"
)
"""The name of a type of error that is told; of others, only one that stands in the code."""

ERROR = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")
"""The first line of an error: its type and its message."""

BETWEEN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
"""Lines between two tracebacks."""

LOGGED = re.compile(r"[\d\s:,.T\[\]+Z-]*((?:DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::root)?)[\]:\s-]+(.*)")
"""A line of a log after a traceback: its level, and its text. Time and date may be a row's."""

IN_GROUP = re.compile(r"^[ +|-]*[|+] ?")
"""Begins a line of an exception group: bars, or a line between two of its exceptions."""

OF_GROUP = re.compile(r"[ |]*\+[-+]{4,}(?: (?:\d{1,2}|\.\.\.) -{4,})?")
"""A line between two exceptions of a group."""

STARTS = re.compile(r"[ +|-]*(?:Exception Group )?" + re.escape(TRACEBACK))
"""A traceback's first line with nothing before it."""

SUB_EXCEPTIONS = re.compile(r" \(\d+ sub-exceptions?\)$")
"""Ends the message of an exception group."""


class Words:
    """The words of the Python files in a folder: their texts, the parts of their f-strings, their names.

    Files of ours that lie beside them do not count.
    """

    def __init__(self, folder: str) -> None:
        self.texts: set[str] = set()
        self.forms: list[list[str]] = []
        self.names: set[str] = set()
        self.modules: set[str] = set()
        for path in sorted(Path(folder).rglob("*.py")):
            if path.name.startswith("handsoff_"):
                continue
            try:
                self._read(ast.parse(path.read_bytes()))
            except (OSError, SyntaxError, ValueError, RecursionError):
                continue

    def _read(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.update(map(_line, (node.value, *node.value.splitlines())))
            elif isinstance(node, ast.JoinedStr):
                self.forms.append(_form(node))
            elif isinstance(node, ast.Name):
                self.names.add(node.id)
            elif isinstance(node, ast.Attribute):
                self.names.add(node.attr)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.names.add(node.name)
            elif isinstance(node, (ast.arg, ast.keyword)):
                self.names.add(node.arg or "")
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        modules = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{name}" for name in modules)]
        for module in modules:
            parts = module.split(".")
            self.modules.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))

    def told(self, kind: str, message: str) -> str:
        """The message of an error of this type on one line, with … for what the code fills in; "" is hidden.

        A message of several lines is told by its first one.
        """
        if not message:
            return ""
        whole, first = _line(message), _line(message.splitlines()[0])
        if whole in self.texts or (kind == "KeyError" and whole[1:-1] in self.texts):
            return whole
        line = f"{kind}: {first}"
        if OF_CODE.fullmatch(line):
            return first
        found = OF_NAMES.fullmatch(line)
        if found and all(name is None or name in self.names for name in found.groups()):
            return first
        module = OF_MODULE.fullmatch(line)
        if module and (module[1] in self.modules or module[1] in self.texts):
            return first
        system = OF_SYSTEM.fullmatch(whole)
        if system:
            return self._of_system(system[1], system[2])
        for form in sorted(self.forms, key=lambda parts: -sum(map(len, parts))):
            if re.fullmatch(".*".join(map(re.escape, form)), message, re.DOTALL):
                return _line("…".join(form)) if re.search(r"[^\W\d_]{3}", "".join(form)) else ""
        return ""

    def _of_system(self, message: str, path: str | None) -> str:
        """What is told of the operating system's message, whose path may be two: 'a' -> 'b'."""
        if path is None:
            return message
        if path in self.texts:
            return f"{message}: '{path}'"
        name = path.rsplit("/", 1)[-1]
        return f"{message}: '…/{name}'" if name in self.texts and "' -> '" not in path else message

    def may_tell(self, line: str) -> bool:
        """Whether a line that is no error is one of the code's own, or argparse's."""
        return _line(line) in self.texts or bool(OF_CODE.fullmatch(line))

    def said(self, kind: str, message: str, place: str = "") -> str:
        """An error as it is told: its type, with the message, or with `place` and that it is left out."""
        name = kind.rsplit(".", 1)[-1]
        if not TYPE.fullmatch(kind) and name not in self.names:
            kind = "Exception"
        count = SUB_EXCEPTIONS.search(message)
        told = self.told(kind, message[: count.start()] if count else message)
        if told:
            return f"{kind}: {told}{count[0] if count else ''}"
        return kind + place + (f": {HIDDEN}" if message else "")


def _line(text: str) -> str:
    return " ".join(text.split())


def _form(text: ast.JoinedStr) -> list[str]:
    """The constant parts of an f-string, between which its values stand."""
    form = [""]
    for part in text.values:
        if isinstance(part, ast.Constant):
            form[-1] += str(part.value)
        else:
            form.append("")
    return form


def print_traceback(error: BaseException, words: Words, *, show: bool) -> None:
    """Write the traceback of the error to stderr; without `show`, each message as `Words.said` tells it."""
    if show:
        traceback.print_exception(type(error), error, error.__traceback__)
        return
    lines: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        said = words.said(type(at).__name__, str(at))
        lines = [f"{TRACEBACK}\n", *traceback.format_tb(at.__traceback__), f"{said}\n", *lines]
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    print("".join(lines), file=sys.stderr, flush=True)


class Told:
    """What of a program's stderr may leave the job: all but the messages of its tracebacks.

    A message may have any lines, also some that look like a log's. So after a traceback a line is told only
    as the code's own words, up to the next traceback.

    `feed` takes the next bytes and returns those to write; `end` returns what is left.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._inside = ""  # "frames" or "message" of a traceback
        self._value = False  # whether the lines below a frame may be a value that was run as code
        self._rest = False
        self._part = b""

    def feed(self, data: bytes) -> bytes:
        *lines, self._part = (self._part + data).split(b"\n")
        return b"".join(self._line(line + b"\n") for line in lines)

    def end(self) -> bytes:
        last, self._part = self._part, b""
        return (self._line(last) if last else b"") + self._left_out()

    def _line(self, line: bytes) -> bytes:
        text = line.decode("utf-8", "replace").rstrip()
        if text.endswith(TRACEBACK):
            known = not self._inside or STARTS.fullmatch(text)
            before, self._inside = self._left_out(), "frames"
            return before + (line if known else f"{TRACEBACK}\n".encode())
        inner = IN_GROUP.sub("", text) if self._inside else text
        if self._inside == "frames":
            return self._frame(line, text, inner)
        if self._inside == "message":
            if OF_GROUP.fullmatch(text):
                self._inside = "frames"
                return self._left_out() + line
            said = self._after(inner)
            self._rest = self._rest or bool(inner and not said)
            return self._left_out() + f"{said}\n".encode() if said else b""
        return line

    def _after(self, text: str) -> str:
        """What is told of a line that comes after an error; "" is nothing."""
        if not text or text in BETWEEN:
            return text
        logged = LOGGED.fullmatch(text)
        if not logged:
            return self._words.told("", text)
        said = self._words.told("", logged[2])
        return f"{logged[1]}:{said}" if said else ""

    def _frame(self, line: bytes, text: str, inner: str) -> bytes:
        if OF_GROUP.fullmatch(text) or not inner:
            return line
        if inner[0] in " \t":
            if inner.lstrip().startswith('File "'):
                self._value = inner.lstrip().startswith('File "<')
                return line
            return b"" if self._value else line
        self._inside, self._value = "message", False
        found = ERROR.fullmatch(inner)
        said = self._words.said(found[1], found[2] or "") if found else HIDDEN
        return (text[: len(text) - len(inner)] + said + "\n").encode("utf-8")

    def _left_out(self) -> bytes:
        rest, self._rest = self._rest, False
        return f"{REST}\n".encode() if rest else b""


def tell(stream: IO[bytes], words: Words) -> None:
    """Write to stderr what may leave the job of a program's stderr, as it comes."""
    told = Told(words)
    while data := os.read(stream.fileno(), 64 * 1024):
        sys.stderr.write(told.feed(data).decode("utf-8", "replace"))
        sys.stderr.flush()
    sys.stderr.write(told.end().decode("utf-8", "replace"))
    sys.stderr.flush()
