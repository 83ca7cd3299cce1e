"""Starts own training code in SageMaker's script mode, and packs it beside the model that it has trained.

The training toolkit of the image starts this script with the hyperparameters as arguments. It runs the
user's script with the same arguments, in the same folder. Of a script that fails, the last line of the
traceback is left where SageMaker looks for the reason, without a message that may quote a row, unless
approvers.show_values is true. So is the log. The code of one that succeeds is packed into the
model's folder `code/`, as serving expects it, with a handsoff.json that says how the model is asked.

Runs in any image with Python 3.8 or later; it needs the standard library only.
"""

from __future__ import annotations

import os
import sys

# A module of the user's may have the name of one that is imported below.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != HERE]

import ast  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

CONTRACT = "handsoff.json"
"""The file that says how the model is asked; publishing has put it beside this script."""

COLUMN_ORDER = "_columns.json"
"""The file in the channel `train` that has the columns without the target, in their order."""

WORDS = "handsoff_words.py"
"""The module that says which words of an error are told; publishing has put it beside this script."""

TAIL = 64 * 1024
"""Bytes of the script's errors that are kept to find the reason of a failure."""

REASON_LIMIT = 1000
"""Characters of the reason. SageMaker shows 1,024."""

TRACEBACK = "Traceback (most recent call last):"
"""Ends the first line of a traceback."""

IGNORED = re.compile(r"Exception ignored |Error in atexit\._run_exitfuncs:")
"""Begins an exception of a `__del__`, or of a function that is called at the end: it has ended nothing."""

WARNING = re.compile(r"\S+:\d+: \w*Warning: ")
"""Begins a warning, as Python writes it; the line of code may follow."""

FAILED = "handsoff: the script failed: "
"""Begins the log's line with the reason. The toolkit of the XGBoost image (sagemaker_containers 2.8.6)
overwrites the file with the reason by the script's command, so the functions look for this line."""


def load_words() -> Any:
    """The module WORDS, which lies in a folder where nothing is imported from by name."""
    spec = importlib.util.spec_from_file_location(WORDS[: -len(".py")], os.path.join(HERE, WORDS))
    if spec is None or spec.loader is None:
        raise ImportError(WORDS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(command: list[str], told: Any = None) -> tuple[int, str]:
    """Run the script; its exit code, negative for a signal, and the end of what it wrote to stderr.

    Its output is this process's; of stderr, what `told` lets pass (handsoff_words.Told), or all. A TERM that
    this process gets is passed on.
    """
    process = subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    kept = bytearray()

    def write(data: bytes) -> None:
        while data:
            data = data[os.write(2, data) :]

    def copy() -> None:
        assert process.stderr  # nosec B101 # noqa: S101 - it is a pipe
        while True:
            chunk = os.read(process.stderr.fileno(), 65536)
            if not chunk:
                write(told.end() if told else b"")
                return
            write(told.feed(chunk) if told else chunk)
            kept.extend(chunk)
            del kept[:-TAIL]

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    code = process.wait()
    reader.join(timeout=5)  # a process that the script has left behind may keep stderr open
    return code, kept.decode("utf-8", "replace")


def reason(code: int, errors: str, script: str, words: Any = None) -> str:
    """Why the script failed: the signal, the exception that ended it, or its last words.

    With `words` (handsoff_words.Words) only of what the code itself says; without, as it was written.
    """
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "a signal"
        return f"the script was ended by {name} (signal {-code})"
    lines = without_noise([re.sub(r"^[ |+]*\| ", "", line).rstrip() for line in errors.splitlines()])
    found, place = "", ""
    for number, line in enumerate(lines):
        if not line.lstrip(" |+").endswith(TRACEBACK):
            continue
        message = [at for at, text in enumerate(lines) if at > number and text and text[0] not in " \t"][:1]
        if message and ended(lines[number + 1], script):
            found, place = lines[message[0]], own_place(lines[number : message[0]])
    said = [line.strip() for line in lines if line.strip()]
    if words and found:
        kind, _, text = found.partition(": ")
        return str(words.said(kind, text, place))
    last = said[-1] if said else ""
    if words and not found and last and not words.may_tell(last):
        return f"the script ended with exit code {code}; its last words are left out, as they may quote a row"
    return found or last or f"the script ended with exit code {code} and said nothing"


def own_place(lines: list[str]) -> str:
    """File and line of own code that a traceback names last; "" where it names none."""
    found = [re.match(r'\s+File "(.+)", line (\d+)', line) for line in lines]
    places = [(os.path.abspath(os.path.join(HERE, each.group(1))), each.group(2)) for each in found if each]
    own = [(path, line) for path, line in places if path.startswith(HERE + os.sep)]
    return f" ({os.path.relpath(own[-1][0], HERE)}, line {own[-1][1]})" if own else ""


def with_hint(text: str, script: str) -> str:
    """The reason, with the way out where a module is missing."""
    if not re.match(r"ModuleNotFoundError: No module named '[\w.]+'", text):
        return text
    beside = "source_dir" if "/" in script else f"the folder of {script}"
    return f"{text}: name the package that has it in requirements.txt, in {beside}"


def saved(model_dir: str) -> bool:
    """Whether the script has left a file in the model's folder."""
    return any(path.is_file() for path in Path(model_dir).rglob("*"))


def without_noise(lines: list[str]) -> list[str]:
    """The lines without warnings, and without exceptions that Python has ignored, as those at its own end."""
    kept = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if IGNORED.match(line):
            while number < len(lines) and (
                lines[number].startswith((" ", "\t")) or lines[number].endswith(TRACEBACK)
            ):
                number += 1
            number += 1  # the exception itself
        elif WARNING.match(line):
            if number < len(lines) and lines[number].startswith(" "):
                number += 1
        else:
            kept.append(line)
    return kept


def ended(frame: str, script: str) -> bool:
    """Whether an exception whose traceback begins with this frame has ended the script.

    Others were caught, and written by the script or its log: their traceback begins in the function that
    caught them, or inside a `try` of the script that raises nothing again.
    """
    found = re.match(r'\s+File "(.+)", line (\d+), in <module>', frame)
    if not found or os.path.basename(found.group(1)) != os.path.basename(script):
        return False
    line = int(found.group(2))
    try:
        tree = ast.parse(Path(HERE, script).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    tries: list[Any] = [
        node
        for node in ast.walk(tree)
        if getattr(node, "handlers", None)
        and not any(isinstance(x, ast.Raise) and not x.exc for x in ast.walk(node))
    ]
    return not any(node.body[0].lineno <= line <= node.body[-1].end_lineno for node in tries)


def write_reason(text: str, words: Any = None) -> None:
    """Leave the reason in the log and, unless the script has left one, where SageMaker looks for it.

    With `words` (handsoff_words.Words) the script's own reason stays only if its code says it.
    """
    text = text[:REASON_LIMIT]
    print(f"{FAILED}{text}", file=sys.stderr, flush=True)
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", "failure")
    try:
        if path.exists() and path.stat().st_size:
            left = path.read_text(encoding="utf-8", errors="replace")
            if words is None or words.may_tell(left):
                return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:  # the log has the reason as well
        print(f"the reason could not be left in {path}: {error}", file=sys.stderr)


def pack(contract: dict[str, Any], model_dir: str, channel: str) -> None:
    """Copy the code to `code/` beside the model, and complete its contract by the order of the columns.

    A file that the script has put there itself stays.
    """
    code = Path(model_dir, "code")
    for name in contract["training"]["files"]:
        target = code / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(Path(HERE, name)), str(target))
    columns = json.loads(Path(channel, COLUMN_ORDER).read_text(encoding="utf-8"))
    text = json.dumps({**contract, "columns": columns}, indent=1, ensure_ascii=False)
    code.mkdir(parents=True, exist_ok=True)
    (code / CONTRACT).write_text(text + "\n", encoding="utf-8")


def first_host() -> bool:
    """Whether this is the first of the job's hosts. The others have trained the same model."""
    hosts = sorted(json.loads(os.environ.get("SM_HOSTS", "[]")))
    return not hosts or os.environ.get("SM_CURRENT_HOST", hosts[0]) == hosts[0]


def main(arguments: list[str]) -> int:
    """Run the script of own code, and pack it. The exit code is the script's; of a signal, 128 more."""
    contract = json.loads(Path(HERE, CONTRACT).read_text(encoding="utf-8"))
    script = contract["training"]["entry_point"]
    os.environ["SM_USER_ENTRY_POINT"], os.environ["SM_MODULE_NAME"] = script, script[: -len(".py")]
    show = contract["config"].get("show_values", False)
    module = load_words()
    words = None if show else module.Words(HERE)
    code, errors = run([sys.executable, script, *arguments], words and module.Told(words))
    if code:
        write_reason(with_hint(reason(code, errors, script, words), script), words)
        return 128 - code if code < 0 else code
    if first_host():
        if not saved(os.environ.get("SM_MODEL_DIR", HERE)):
            write_reason(
                f"{script} ended, and wrote no file to the folder SM_MODEL_DIR: save the model there, "
                "such as by joblib.dump(model, os.path.join(os.environ['SM_MODEL_DIR'], 'model.joblib'))"
            )
            return 1
        try:
            pack(contract, os.environ["SM_MODEL_DIR"], os.environ["SM_CHANNEL_TRAIN"])
        except (OSError, KeyError, ValueError) as error:
            write_reason(f"the code could not be packed beside the model: {type(error).__name__}: {error}")
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
