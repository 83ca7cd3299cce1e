"""Reads own training code from its folder: all its files but those that no job needs.

What is read lies in S3, and in the package of every model that is trained with it. Files that look like a
secret or like data are therefore refused, until .handsoffignore in that folder says what to do with them: a
line `NAME` leaves files out, a line `!NAME` publishes them (`NAME` as in a shell, of a file or a folder).

Left out are handsoff.yaml, names that begin with a dot (.git, .venv, .idea, .ipynb_checkpoints, .env),
`__pycache__` and compiled files, virtual environments of any name, node_modules, *.egg-info, editors'
backups (`x~`, `#x#`, `x.swp`), and what a deployment leaves beside handsoff.yaml, which names the hash of
the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final

SIZE_LIMIT: Final = 50 * 1024 * 1024
"""Bytes that the files of own code may have together. Each training job downloads them."""

FILES_LIMIT: Final = 1000
"""Files that own code may have."""

DATA_LIMIT: Final = 16 * 1024
"""Bytes that a data file beside the code may have, such as a table of codes, without being asked about."""

IGNORE: Final = ".handsoffignore"
"""The file in `source_dir` that says which files are left out, and which are published all the same."""

MAX_NAMED: Final = 5
"""Refused files that a message names."""

OURS: Final = frozenset({"handsoff_entry", "handsoff_entry.py", "handsoff_words.py", "handsoff.json"})
"""Names in the first folder of the code that publishing needs for files of its own."""

_LEFT_OUT: Final = re.compile(
    r"\..*|__pycache__|node_modules|.*\.(?:pyc|pyo|swp|egg-info)|.*~|#.*#"
    r"|handsoff\.yaml|handsoff-terraform|handsoff\.auto\.tfvars\.json|.*\.tfstate(?:\..*)?"
)
_SECRET: Final = re.compile(
    r".*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|env)|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|(?:.*[._-])?(?:secrets?|credentials?|passwords?)(?:[._-].*)?|service[._-]account.*\.json"
)
"""Names of files, in small letters, that look like a secret. A Python file is code whatever its name is."""

_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s*[A-Za-z0-9+/]")
"""The beginning of a private key in PEM."""

_DATA: Final = re.compile(
    r".*\.(?:csv|tsv|psv|dat|jsonl|ndjson|parquet|feather|arrow|orc|avro|xlsx?|sqlite3?|db|duckdb|h5|hdf5|npy|npz"
    r"|sas7bdat|dta|sav|zip|7z|tar|tgz)(?:\.(?:gz|bz2|xz|zst))?|.*\.(?:gz|bz2|xz|zst)"
)
"""Names of files, in small letters, that hold data."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\\]")


class SourceError(ValueError):
    """Own code cannot be published. The message names the folder or the file, and what to do."""


def read_source(model: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """The files of a model's own code, by their paths in `source_dir` with slashes.

    `model` is a ModelConfig as plain data, `folder` that of its handsoff.yaml. Raises SourceError if a file
    or the folder is missing, lies outside `folder`, has a name of ours, looks like a secret or like data, or
    is too large.
    """
    training = model["training"]
    where, root = training["source_dir"], folder.resolve()
    source = root / where
    if not source.is_dir():
        raise SourceError(f"training.source_dir {where} is no folder beside handsoff.yaml in {folder}")
    files: dict[str, bytes] = {}
    size = 0
    for name, path in _wanted(source, root, where).items():
        if name.partition("/")[0] in OURS:
            raise SourceError(f"{where}/{name}: this name is needed beside the code, rename yours")
        size += path.stat().st_size
        if size > SIZE_LIMIT:
            raise SourceError(
                f"the code in {where} has more than {SIZE_LIMIT // 1024**2} MB, reached at {name}: move data "
                "and models out of training.source_dir"
            )
        files[name] = path.read_bytes()
        if len(files) > FILES_LIMIT:
            raise SourceError(
                f"the code in {where} has more than {FILES_LIMIT:,} files, reached at {name}: move data out "
                "of training.source_dir"
            )
    scripts = {"training": training["entry_point"]}
    if named := model.get("inference", {}).get("entry_point"):
        scripts["inference"] = named
    for key, script in scripts.items():
        if script not in files:
            known = ", ".join(sorted(name for name in files if name.endswith(".py"))[:10]) or "none"
            raise SourceError(f"{key}.entry_point {script} is not in {where}; its Python files: {known}")
    return files


def shown(files: Mapping[str, int], most: int = 20) -> str:
    """Files with their sizes, given in bytes, in one line for people; at most `most` are named."""
    named = [f"{name} ({as_size(length)})" for name, length in sorted(files.items())[:most]]
    more = [f"{len(files) - most:,} more"] if len(files) > most else []
    return ", ".join([*named, *more])


def as_size(number: int) -> str:
    """A number of bytes for people: `812 bytes`, `1.2 kB`, `3.4 MB`."""
    if number < 1000:
        return f"{number} byte{'' if number == 1 else 's'}"
    return f"{number / 1000:.1f} kB" if number < 999_950 else f"{number / 1e6:.1f} MB"


def _wanted(source: Path, root: Path, where: str) -> dict[str, Path]:
    """The files to publish, by their paths in the folder. Raises SourceError if one is probably not meant."""
    said = _said(source)
    files, refused = {}, []
    for path in _files(source, root, ()):
        name = path.relative_to(source).as_posix()
        left_out = next((out for out, pattern in said if _matches(name, pattern)), None)
        if left_out is None and (why := _why_refused(path)):
            refused.append(f"{name} ({why})")
        elif not left_out:
            files[name] = path
    if refused:
        raise SourceError(_refusal(where, refused))
    return files


def _said(source: Path) -> list[tuple[bool, str]]:
    """The lines of .handsoffignore, the last first: whether files are left out, and the pattern."""
    path = source / IGNORE
    if not path.is_file():
        return []
    try:
        lines = [line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not text in UTF-8: write a name in each line") from None
    return [
        (not line.startswith("!"), line.removeprefix("!").strip("/"))
        for line in reversed(lines)
        if line and not line.startswith("#")
    ]


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern names a file, or a folder that it lies in: by its path, or by its last part."""
    path = PurePosixPath(name)
    places = (path, *path.parents[:-1])
    return any(fnmatchcase(str(one), pattern) or fnmatchcase(one.name, pattern) for one in places)


def _why_refused(path: Path) -> str | None:
    """Why a file is probably not meant to be published."""
    name = path.name.lower()
    if not name.endswith((".py", ".pyi")) and _SECRET.fullmatch(name):
        return "looks like a secret"
    length = path.stat().st_size
    if length <= SIZE_LIMIT and _PRIVATE_KEY.search(path.read_bytes()):
        return "has a private key"
    if length > DATA_LIMIT and _DATA.fullmatch(name):
        return f"data of {as_size(length)}"
    return None


def _refusal(where: str, refused: list[str]) -> str:
    """Names what would be published and is probably not meant, and the ways out."""
    more = f" and {len(refused) - MAX_NAMED:,} more" if len(refused) > MAX_NAMED else ""
    return (
        f"training.source_dir {where} has files that would be stored with every model: "
        f"{', '.join(refused[:MAX_NAMED])}{more}. Give the code a folder of its own, or write names into "
        f"{'' if where == '.' else where + '/'}{IGNORE}: a line NAME leaves files out, !NAME publishes them"
    )


def _files(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files in a folder and below it that are not left out, sorted. Links may not lead out of `root`."""
    real = folder.resolve()
    if not real.is_relative_to(root):
        raise SourceError(f"{folder.relative_to(root)} leads out of {root}: code must lie inside that folder")
    if real in above:
        raise SourceError(f"{folder.relative_to(root)} is a link to a folder that it lies in: remove it")
    for path in sorted(folder.iterdir()):
        if _LEFT_OUT.fullmatch(path.name):
            continue
        if _UNPRINTABLE.search(path.name):
            raise SourceError(
                f"{path.relative_to(root)!r:.200}: the name has a character that no job can read"
            )
        if not path.resolve().is_relative_to(root):
            raise SourceError(
                f"{path.relative_to(root)} leads out of {root}: code must lie inside that folder"
            )
        if path.is_dir():
            if not (path / "pyvenv.cfg").exists():
                yield from _files(path, root, (*above, real))
        elif path.is_file():
            yield path
        else:
            raise SourceError(
                f"{path.relative_to(root)} is no file and no folder, or a broken link: remove it"
            )
