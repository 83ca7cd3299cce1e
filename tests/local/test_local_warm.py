"""Jobs that are forked from a warm Python behave as those that a new Python runs."""

import json
import marshal
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.forked.warm import WarmProcess, WarmPython
from local.images.environments import Environments
from local.images.pythons import Pythons
from local.images.table import IMAGES

pytestmark = pytest.mark.slow

VARIABLES = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "WHERE": "here", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    made = WarmPython(tmp_path_factory.mktemp("warm"), IMAGES[0].imported)
    yield made
    made.close()


def start(python: WarmPython, folder: Path, script: str, *arguments: str) -> WarmProcess:
    (folder / "job.py").write_text(script)
    job = python.start([sys.executable, "job.py", *arguments], VARIABLES, folder)
    assert job is not None
    return job


def output(job: WarmProcess) -> str:
    assert job.stdout is not None
    with job.stdout as stream:
        return str(stream.read(), "utf-8")


def test_prepare_starts_what_the_first_job_is_forked_from(tmp_path: Path) -> None:
    made = WarmPython(tmp_path, ("json",))
    try:
        made.prepare(VARIABLES)
        prepared = made._process.pid
        made.prepare(VARIABLES)
        job = start(made, tmp_path, "import os\nprint(os.getppid(), os.environ['OMP_NUM_THREADS'])\n")
        assert output(job).split() == [str(prepared), "1"]
        assert job.wait(10) == 0
    finally:
        made.close()


def test_prepare_leaves_an_image_alone_that_has_no_environment(tmp_path: Path) -> None:
    pythons = Pythons(
        tmp_path, Environments({"XDG_CACHE_HOME": str(tmp_path / "empty"), "HOME": str(tmp_path)})
    )
    pythons.prepare(IMAGES[0], VARIABLES)
    assert pythons._warm == {}
    pythons.close()


def test_job_has_its_own_arguments_environment_folder_and_modules(python: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7")
    script = (
        "import beside, json, os, sys, tempfile\n"
        "print(json.dumps([__name__, sys.argv, os.getcwd(), dict(os.environ), beside.VALUE]))\n"
        "print(os.getpid() == os.getsid(0), sys.stdin.read())\n"
    )
    job = start(python, tmp_path, script, "--depth", "3")
    first, second = output(job).splitlines()
    assert json.loads(first) == ["__main__", ["job.py", "--depth", "3"], str(tmp_path), VARIABLES, 7]
    assert second == "True "
    assert job.wait(10) == 0


def test_job_that_fails_prints_the_trace_of_its_script_alone(python: WarmPython, tmp_path: Path) -> None:
    job = start(python, tmp_path, "def f():\n    raise ValueError('no')\nf()\n")
    lines = output(job).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if "File" in line] == [
        '  File "job.py", line 3, in <module>',
        '  File "job.py", line 2, in f',
    ]
    assert lines[-1] == "ValueError: no"
    assert job.wait(10) == 1


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit('so be it')", 1, "so be it\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import atexit; atexit.register(print, 'last words')", 0, "last words\n"),
        (
            "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.2), print('waited for'))).start()",
            0,
            "waited for\n",
        ),
    ],
)
def test_job_ends_as_python_does(
    python: WarmPython, tmp_path: Path, script: str, code: int, text: str
) -> None:
    job = start(python, tmp_path, script)
    assert output(job) == text
    assert job.wait(10) == code
    assert job.poll() == code


def test_jobs_share_no_random_numbers(python: WarmPython, tmp_path: Path) -> None:
    script = "import random, numpy\nprint(random.random(), numpy.random.random())"
    jobs = [start(python, tmp_path, script) for _ in range(2)]
    assert len({number for job in jobs for number in output(job).split()}) == 4
    assert [job.wait(10) for job in jobs] == [0, 0]


def test_jobs_run_at_the_same_time(python: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    wait = (
        "import pathlib, time\n"
        "pathlib.Path('here').touch()\n"
        "while not pathlib.Path('../{}/here').exists(): time.sleep(0.01)\n"
    )
    pairs = (("one", "two"), ("two", "one"))
    jobs = [start(python, tmp_path / name, wait.format(other)) for name, other in pairs]
    assert [job.wait(20) for job in jobs] == [0, 0]
    assert [output(job) for job in jobs] == ["", ""]


SCRIPT = "import os, sys\nprint(sys.dont_write_bytecode, sorted(os.listdir()))\nimport beside\nbeside.f()\n"
"""A job that imports a module of its folder."""

OF_JOBS = {**VARIABLES, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    """A Python whose scripts keep the code that they compile."""
    made = WarmPython(tmp_path_factory.mktemp("warm"), [], kept=tmp_path_factory.mktemp("warm") / "kept")
    yield made
    made.close()


@pytest.mark.parametrize(
    "module",
    [
        "import inspect\ndef f(): print(inspect.getsource(f), f.__code__.co_filename,\n    __cached__)\n",
        "def f():\n    def g(): raise ValueError('no')\n    g()\n",
        "raise ValueError('not importable')\n",
        "def f(): print('\\d' is 'x')\n",
        "def f(\n",
        "'\\d'\ndef f(\n",
        "# coding: latin-1\ndef f(): print('\xe4')\n",
        "x = '\0'\n",
    ],
    ids=["code", "fails", "fails-early", "warns", "syntax", "warns-syntax", "coding", "null"],
)
def test_job_with_kept_code_says_what_a_new_python_says(
    keeping: WarmPython, tmp_path: Path, module: str
) -> None:
    for name in ("first", "later", "last"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "job.py").write_text(SCRIPT)
        (folder / "beside.py").write_bytes(module.encode("latin-1"))
        script = str(folder / "job.py")
        job = keeping.start([sys.executable, script], OF_JOBS, folder)
        assert job is not None
        new = subprocess.run(
            [sys.executable, "-u", script],
            cwd=folder,
            env=OF_JOBS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert output(job) == new.stdout.decode()
        assert job.wait(10) == new.returncode


def test_job_compiles_a_module_once_and_again_when_it_changes(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    python = WarmPython(tmp_path, [], kept=kept)

    def said(module: str, folder: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "beside.py").write_text(module)
        (tmp_path / folder / "job.py").write_text("import beside")
        os.utime(tmp_path / folder / "beside.py", (0, 0))
        job = python.start([sys.executable, "job.py"], OF_JOBS, tmp_path / folder)
        assert job is not None
        assert job.wait(10) == 0
        return output(job)

    assert said("print('one')", "here") == "one\n"
    assert said("print('one')", "there") == "one\n"
    (code,) = kept.iterdir()
    assert said("print('two')", "here") == "two\n"
    assert len(list(kept.iterdir())) == 2
    code.write_bytes(marshal.dumps(compile("print('kept')", "x", "exec")))
    assert said("print('one')", "here") == "kept\n"
    code.write_bytes(code.read_bytes()[:20])
    assert said("print('one')", "here") == "one\n"
    shutil.rmtree(kept)
    kept.write_text("no folder can be made here")
    assert said("print('one')", "here") == "one\n"
    python.close()


@pytest.mark.parametrize(
    "arguments", [[sys.executable, "-c", "1"], [sys.executable], ["/bin/true"], [sys.executable, "none.py"]]
)
def test_start_of_what_is_no_script_leaves_it_to_a_new_process(
    python: WarmPython, tmp_path: Path, arguments: list[str]
) -> None:
    assert python.start(arguments, VARIABLES, tmp_path) is None


def test_start_with_a_longer_environment_than_fits_leaves_it_to_a_new_process(
    python: WarmPython, tmp_path: Path
) -> None:
    (tmp_path / "job.py").write_text("")
    variables = {**VARIABLES, "LONG": "x" * 1_000_000}
    assert python.start([sys.executable, "job.py"], variables, tmp_path) is None
    job = start(python, tmp_path, "print('the next job runs')")
    assert output(job) == "the next job runs\n"
    assert job.wait(10) == 0


def test_close_ends_the_process_and_its_jobs(tmp_path: Path) -> None:
    python = WarmPython(tmp_path, [])
    job = start(python, tmp_path, "import time; print('runs', flush=True); time.sleep(60)")
    assert job.stdout is not None
    assert job.stdout.readline() == b"runs\n"
    parent = psutil.Process(job.pid).parent()
    assert parent is not None
    python.close()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(job.pid) or parent.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert output(job) == ""
    assert job.wait(10) == -9


def test_conversation_goes_through_pipes_of_its_own(python: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import sys\n"
        "print('asked', file=sys.stderr)\n"
        "for line in sys.stdin: print(line.strip() * 2, flush=True)\n"
    )
    job = python.converse([sys.executable, "job.py"], VARIABLES, tmp_path)
    assert job is not None
    assert job.stdin is not None
    assert job.stdout is not None
    assert job.stderr is not None
    with job.stdin, job.stdout, job.stderr:
        job.stdin.write("ä\n")
        job.stdin.flush()
        assert job.stdout.readline() == "ää\n"
        assert job.poll() is None
        job.stdin.close()
        assert job.wait(10) == 0
        assert job.stderr.read() == "asked\n"


@pytest.mark.parametrize(("end", "code"), [("terminate", -15), ("kill", -9)])
def test_conversation_ends_by_signal(python: WarmPython, tmp_path: Path, end: str, code: int) -> None:
    (tmp_path / "job.py").write_text("import sys\nprint('runs', flush=True)\nsys.stdin.read()\n")
    job = python.converse([sys.executable, "job.py"], VARIABLES, tmp_path)
    assert job is not None
    assert job.stdin is not None
    assert job.stdout is not None
    assert job.stderr is not None
    with job.stdin, job.stdout, job.stderr:
        assert job.stdout.readline() == "runs\n"
        getattr(job, end)()
        assert job.wait(10) == code
        getattr(job, end)()  # it has ended: nothing happens


def test_conversation_with_what_is_no_script_leaves_it_to_a_new_process(
    python: WarmPython, tmp_path: Path
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert python.converse(["/bin/true"], VARIABLES, tmp_path) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_packages_come_from_the_path_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "mine.py").write_text("import os\nPID = os.getpid()\n")
    (tmp_path / "job.py").write_text("import mine, os\nprint(mine.PID == os.getppid())\n")
    python = WarmPython(tmp_path, ["mine", "not.installed"], [str(tmp_path / "packages")])
    job = python.start([sys.executable, "job.py"], VARIABLES, tmp_path)
    assert job is not None
    assert output(job) == "True\n"
    assert job.wait(10) == 0
    python.close()
