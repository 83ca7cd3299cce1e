"""The script that starts own training code, run as the training toolkit runs it: a process of its own."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_def.publish import ENTRY, WORDS
from retraining.aws.job_words import OWN_CODE_FAILED

pytestmark = pytest.mark.slow  # starts a process for each script

CONTRACT: dict[str, Any] = {
    "schema_version": 1,
    "config": {"name": "churn"},
    "inference": {"entry_point": "inference.py"},
    "image": "1.dkr/x:1",
    "framework": "xgboost",
    "columns": [],
    "training": {"source_dir": "src", "entry_point": "train.py", "files": ["train.py", "lib/tools.py"]},
}


class Job:
    """A training job's folders: /opt/ml in `opt_ml`, the code in `code`."""

    def __init__(self, folder: Path) -> None:
        self.opt_ml, self.code = folder / "opt-ml", folder / "opt-ml" / "code"
        self.model, self.channel = self.opt_ml / "model", self.opt_ml / "input" / "data" / "train"
        for path in (self.code / "lib", self.model, self.channel):
            path.mkdir(parents=True)
        for script in (ENTRY, WORDS):
            (self.code / script.name).write_bytes(script.read_bytes())
        (self.code / "handsoff.json").write_text(json.dumps(CONTRACT), encoding="utf-8")
        (self.model / "model.joblib").write_text("a model", encoding="utf-8")
        (self.code / "lib" / "tools.py").write_text("x = 1\n", encoding="utf-8")
        (self.channel / "_columns.json").write_text('["plan", "größe"]', encoding="utf-8")

    def command(self, script: str, *arguments: str) -> list[str]:
        (self.code / "train.py").write_text(script, encoding="utf-8")
        return [sys.executable, "-I", ENTRY.name, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "SAGEMAKER_BASE_DIR": str(self.opt_ml),
            "SM_MODEL_DIR": str(self.model),
            "SM_CHANNEL_TRAIN": str(self.channel),
            **more,
        }

    def run(
        self, script: str, *arguments: str, environment: Mapping[str, str] | None = None, module: bool = False
    ) -> subprocess.CompletedProcess[str]:
        command = self.command(script, *arguments)
        if module:  # as the toolkit of the XGBoost image starts it
            command = [sys.executable, "-m", ENTRY.stem, *arguments]
        return subprocess.run(
            command,
            cwd=self.code,
            env=self.environment(**(environment or {})),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def failure(self) -> str | None:
        path = self.opt_ml / "output" / "failure"
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def packed(self) -> dict[str, str]:
        code = self.model / "code"
        return {
            path.relative_to(code).as_posix(): path.read_text(encoding="utf-8")
            for path in code.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.mark.parametrize("module", [False, True], ids=["as a script", "as a module"])
def test_the_script_runs_with_its_arguments_folder_variables_and_output(job: Job, module: bool) -> None:
    script = """import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ["SM_X"], os.environ["SM_USER_ENTRY_POINT"]]))
print("to stderr", file=sys.stderr)
import lib.tools
"""
    arguments = ("--max-depth", "4", "--note", 'a "b" $c\\', "--empty", "")
    done = job.run(script, *arguments, environment={"SM_X": "x y"}, module=module)
    assert (done.returncode, done.stderr) == (0, "to stderr\n")
    assert json.loads(done.stdout) == [["train.py", *arguments], str(job.code), "x y", "train.py"]
    assert job.failure is None


def test_a_success_packs_the_code_and_completes_its_contract(job: Job) -> None:
    (job.code / "setup.py").write_text("left by the toolkit", encoding="utf-8")
    done = job.run("open('trained', 'w').write('a new file')")
    assert done.returncode == 0
    packed = job.packed
    assert json.loads(packed.pop("handsoff.json")) == {**CONTRACT, "columns": ["plan", "größe"]}
    assert packed == {
        "train.py": "open('trained', 'w').write('a new file')",
        "lib/tools.py": "x = 1\n",
    }


def test_a_file_that_the_script_has_packed_itself_stays(job: Job) -> None:
    script = """import os
code = os.path.join(os.environ["SM_MODEL_DIR"], "code", "lib")
os.makedirs(code)
open(os.path.join(code, "tools.py"), "w").write("mine")
"""
    assert job.run(script).returncode == 0
    assert (job.packed["lib/tools.py"], job.packed["train.py"]) == ("mine", script)


@pytest.mark.parametrize(("host", "packs"), [("algo-1", True), ("algo-2", False)])
def test_only_the_first_host_packs_the_code(host: str, packs: bool, job: Job) -> None:
    environment = {"SM_HOSTS": '["algo-2", "algo-1"]', "SM_CURRENT_HOST": host}
    assert job.run("pass", environment=environment).returncode == 0
    assert bool(job.packed) is packs


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("raise ValueError('no rows of class 1')", 1, "ValueError: no rows of class 1"),
        ("raise ValueError('first\\nsecond')", 1, "ValueError: first"),
        ("import sys; sys.exit('no rows to train on')", 1, "no rows to train on"),
        ("import sys; print('half', file=sys.stderr); sys.exit(3)", 3, "half"),
        ("import sys; sys.exit(4)", 4, "the script ended with exit code 4 and said nothing"),
        ("import os; os._exit(5)", 5, "the script ended with exit code 5 and said nothing"),
        ("x = = 1", 1, "SyntaxError: invalid syntax"),
        (
            "import not_there",
            1,
            "ModuleNotFoundError: No module named 'not_there': name the package that has it in "
            "requirements.txt, in the folder of train.py",
        ),
        ("raise KeyboardInterrupt", 130, "the script was ended by SIGINT (signal 2)"),
        (
            "import argparse; p = argparse.ArgumentParser(); p.add_argument('--a', type=int); p.parse_args()",
            2,
            "train.py: error: argument --a: invalid int value: 'x'",
        ),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('while fitting') from e",
            1,
            "RuntimeError: while fitting",
        ),
        (
            "import atexit, os\natexit.register(lambda: os.write(2, b'bye\\n'))\nraise OSError('disk')",
            1,
            "OSError: disk",
        ),
        (
            "raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])",
            1,
            "ExceptionGroup: several (2 sub-exceptions)",
        ),
        ("class Odd(Exception):\n    pass\nraise Odd", 1, "Odd (train.py, line 3)"),
        # What Python ignores at its end.
        (
            "class A:\n    def __del__(self):\n        raise OSError('noise')\n"
            "a = A()\nraise ValueError('real')",
            1,
            "ValueError: real",
        ),
        (
            "class A:\n    def __del__(self):\n        raise OSError('noise')\n"
            "a = A()\nimport sys\nsys.exit('real')",
            1,
            "real",
        ),
        (
            "import atexit\n@atexit.register\ndef f():\n    raise OSError('noise')\nraise ValueError('real')",
            1,
            "ValueError: real",
        ),
        (
            "import atexit, sys\n@atexit.register\ndef f():\n    raise OSError('noise')\nsys.exit('real')",
            1,
            "real",
        ),
        (
            "import sys, warnings\nprint('real', file=sys.stderr)\nwarnings.warn('noise')\nsys.exit(1)",
            1,
            "real",
        ),
        # What the script has caught and logged.
        (
            "import logging, sys\ntry:\n    1 / 0\nexcept Exception:\n    logging.exception('again')\n"
            "sys.exit('no rows of plan B: land them')",
            1,
            "no rows of plan B: land them",
        ),
        (
            "import sys, traceback\ndef fit():\n    try:\n        1 / 0\n    except Exception:\n"
            "        traceback.print_exc()\nfit()\nsys.exit('no rows')",
            1,
            "no rows",
        ),
        (
            "import threading, time\nthreading.Thread(target=lambda: 1 / 0).start()\ntime.sleep(0.2)\n"
            "raise ValueError('real')",
            1,
            "ValueError: real",
        ),
        (
            "import sys, traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()\n"
            "sys.exit(1)",
            1,
            "ZeroDivisionError: division by zero",
        ),
        (
            "import logging\ntry:\n    raise ValueError('first\\nsecond')\nexcept Exception:\n"
            "    logging.exception('failed')\n    raise",
            1,
            "ValueError: first",
        ),
        # What follows the exception.
        ("e = ValueError('real')\ne.add_note('a note')\nraise e", 1, "ValueError: real"),
        ("try:\n    1 / 0\nexcept OSError:\n    pass\nfinally:\n    print('tidy')", 1,
            "ZeroDivisionError: division by zero"),
        ("def f():\n    raise KeyError('a')\nif __name__ == '__main__':\n    f()", 1, "KeyError: 'a'"),
    ],
)  # fmt: skip
def test_a_failure_tells_its_last_line_and_keeps_its_exit_code(
    script: str, code: int, reason: str, job: Job
) -> None:
    arguments = ("--a", "x") if "argparse" in script else ()
    done = job.run(script, *arguments)
    assert (done.returncode, job.failure) == (code, reason)
    assert done.stderr.splitlines()[-1] == f"{OWN_CODE_FAILED}{reason}"
    assert job.packed == {}


def test_a_reason_that_the_script_has_left_stays(job: Job) -> None:
    script = """import os
path = os.path.join(os.environ["SAGEMAKER_BASE_DIR"], "output")
os.makedirs(path)
open(os.path.join(path, "failure"), "w").write("its own words")
raise ValueError("others")
"""
    assert job.run(script).returncode == 1
    assert job.failure == "its own words"


def test_a_long_reason_is_cut(job: Job) -> None:
    job.run(f"raise ValueError('{'x' * 5000}')")
    assert job.failure == "ValueError: " + "x" * 988


def test_a_traceback_is_found_before_much_other_output(job: Job) -> None:
    script = (
        "import sys\nprint('x' * 300_000, file=sys.stderr)\nprint('y' * 300_000)\nraise ValueError('late')"
    )
    done = job.run(script)
    assert (job.failure, len(done.stdout)) == ("ValueError: late", 300_001)
    assert done.stderr.startswith("x" * 300_000 + "\nTraceback")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV")])
def test_a_script_that_a_signal_ends_is_told_and_exits_as_in_a_shell(
    number: signal.Signals, name: str, job: Job
) -> None:
    done = job.run(f"import os; os.kill(os.getpid(), {int(number)})")
    assert done.returncode == 128 + number
    assert job.failure == f"the script was ended by {name} (signal {int(number)})"


def test_a_term_is_passed_on_and_the_script_may_end_well(job: Job) -> None:
    script = """import os, signal, sys, time
def stop(*_):
    os.write(1, b"saved\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        job.command(script), cwd=job.code, env=job.environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "saved\n")


def test_a_process_that_the_script_leaves_behind_does_not_keep_the_job(job: Job) -> None:
    script = """import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], start_new_session=True)
"""
    process = subprocess.Popen(
        job.command(script), cwd=job.code, env=job.environment(), stdout=subprocess.DEVNULL
    )
    began = time.monotonic()
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 15
    assert job.packed["train.py"] == script


def test_modules_of_the_users_do_not_break_the_start(job: Job) -> None:
    """A script may lie beside a module named as one of the standard library's."""
    for name in ("json", "re", "shutil", "signal", "subprocess", "threading", "pathlib", "typing"):
        (job.code / f"{name}.py").write_text("raise RuntimeError('not this one')", encoding="utf-8")
    done = job.run("print('trained')", module=True)
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert json.loads(job.packed["handsoff.json"])["columns"] == ["plan", "größe"]


def test_a_channel_without_its_columns_is_a_failure_with_a_reason(job: Job) -> None:
    (job.channel / "_columns.json").unlink()
    assert job.run("pass").returncode == 1
    assert str(job.failure).startswith("the code could not be packed beside the model: FileNotFoundError: ")


@pytest.mark.parametrize("script", [ENTRY, WORDS], ids=lambda script: script.name)
def test_the_start_is_written_for_python_3_8(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        for alias in getattr(node, "names", ())
        if isinstance(node, ast.Import)
    } | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("made", [None, "empty/deeper"])
def test_script_that_saves_no_model_fails_with_the_way_out(made: str | None, job: Job) -> None:
    (job.model / "model.joblib").unlink()
    if made:
        (job.model / made).mkdir(parents=True)
    assert job.run("pass").returncode == 1
    assert job.failure == (
        "train.py ended, and wrote no file to the folder SM_MODEL_DIR: save the model there, such as by "
        "joblib.dump(model, os.path.join(os.environ['SM_MODEL_DIR'], 'model.joblib'))"
    )
    assert job.packed == {}


def test_host_that_is_not_the_first_may_save_no_model(job: Job) -> None:
    (job.model / "model.joblib").unlink()
    hosts = {"SM_HOSTS": '["algo-1", "algo-2"]', "SM_CURRENT_HOST": "algo-2"}
    assert job.run("pass", environment=hosts).returncode == 0


def test_missing_module_is_told_with_the_file_that_names_packages(job: Job) -> None:
    assert job.run("import no_such_framework.trees").returncode == 1
    assert job.failure == (
        "ModuleNotFoundError: No module named 'no_such_framework': name the package that has it in "
        "requirements.txt, in the folder of train.py"
    )
    (job.opt_ml / "output" / "failure").unlink()
    training = {**CONTRACT["training"], "entry_point": "lib/tools.py"}
    (job.code / "handsoff.json").write_text(json.dumps({**CONTRACT, "training": training}), encoding="utf-8")
    (job.code / "lib" / "tools.py").write_text("import no_such_framework", encoding="utf-8")
    assert job.run("pass").returncode == 1
    assert str(job.failure).endswith("that has it in requirements.txt, in source_dir")
