"""For all tests: where their files lie, which kinds there are, in which order they run, and how they end."""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from tests.loop.conftest import Loop

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "here")  # ci is hypothesis' own: derandomized

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 6 * 2**30
"""Free bytes in MEMORY below which temporary files stay on the disk. A whole run takes up to 4 GB."""

STARTS_SOMETHING = {
    "applying": "Terraform",
    "browser": "a browser",
    "builds": "a build of the functions",
    "cloud": "AWS on this machine",
    "loop": "AWS on this machine",
    "place": "AWS on this machine",
    "ready_build": "a build of the functions",
    "shared": "AWS on this machine",
    "terraform": "Terraform",
}
"""Fixtures that deploy or start a server, and what they start. Every test that uses one must say so."""

SHARED = (
    "field/test_field_for_real",
    "loop/test_approval_for_real",
    "loop/test_loop",
    "loop/test_starting_for_real",
)
"""Files whose stories share a deployment: one worker runs them all."""

LONGEST = (
    *SHARED,
    "docs/test_tutorial",
    "artefacts/test_artefacts",
    "docs/test_own_model_tutorial",
    "loop/test_deploy_for_real",
    "loop/test_installed",
    "examples/test_examples_for_real",
    "terraform/test_terraform",
    "loop/test_approvers_for_real",
    "iam/test_least_privilege",
    "upgrade/test_upgrade_for_real",
    "loop/test_alarms_for_real",
)
"""Files that start first, since each occupies its worker for minutes, mostly waiting."""

HEAVIEST = ("handsoff/test_cli", "handsoff/test_check", "chaos/test_chaos")
"""Files that need the processor for longest, the longest last. Two workers begin with the last ones.

The files that are left at the end are short, so all workers end at about the same time.
"""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes have the argument's name and a number as their id.

    Archives hold the time at which they are made, and workers must collect the same ids.
    """
    return argname if isinstance(val, bytes) else None


class ByDeployment(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """Gives a worker whole files, and all files of a deployment.

    Stories come first in the queue and wait for most of their time; what needs the processor most comes last.
    Every third worker takes from the end, so that the processors are busy while the other workers wait.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if int(node.gateway.id.removeprefix("gw")) % 3 == 2:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        mine = self.assigned_work[node]  # xdist counts all of it at the end of each test, also what is done
        for done in [scope for scope, tests in mine.items() if all(tests.values())]:
            del mine[done]
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        if any(name in nodeid for name in SHARED):
            return "shared deployment"
        return str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` has no such hook
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByDeployment | None:
    """What `--dist loadfile` means here."""
    return ByDeployment(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary files in memory, and end by TERM as by Ctrl-C: fixtures stop what they have started.

    A shell starts programs in the background so that they ignore Ctrl-C, and what they start does, too. Tests
    interrupt programs, so this run takes it back.

    All sessions of botocore share what reads its descriptions of services: each would read megabytes again.

    OpenMP has one thread here and in programs that tests start, jobs excepted. Its idle threads spin, which
    beside other tests takes ten times as much processor time as the work itself.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    if _in_memory():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # so that it is read again
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    del config


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which never looks through what is collected: it all stays.

    As many workers collect at a time as there are processors. In a fresh clone the first of them keep the
    byte-code of the tests, and the others need not compile them again.
    """
    processors = os.cpu_count() or 1
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    turns = sorted(Path(__file__).parent.glob("*.py"))  # files to lock, one for each processor
    with turns[number % processors % len(turns)].open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()
            gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a worker of xdist send no message that nobody reads: these are four of six for most tests.

    With `-v` pytest shows each test that begins, so all are sent.
    """
    if session.config.option.verbose > 0:
        return
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":  # xdist runs its module as a script
            plugin.sendevent = functools.partial(_send_what_is_read, plugin.sendevent)


def _send_what_is_read(send: Callable[..., None], name: str, **values: Any) -> None:
    """Send a message, unless a test begins or ends, or a quick setup or teardown has passed.

    `--durations` leaves out what takes less than 5 ms, too.
    """
    if name in ("logstart", "logfinish"):
        return
    report: dict[str, Any] = values["data"] if name == "testreport" else {"when": "call"}
    if report["when"] != "call" and report["outcome"] == "passed" and report["duration"] < 0.005:
        return
    send(name, **values)


def _in_memory() -> bool:
    """Whether programs may run from MEMORY, and it has room. A deployment unpacks 40,000 files."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return False
    found = os.statvfs(MEMORY)
    return found.f_bavail * found.f_frsize >= MEMORY_NEEDED and not found.f_flag & os.ST_NOEXEC


@pytest.fixture(scope="session")
def ready_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build of functions and layer for this machine, made once for all workers."""
    from tests.loop.builds import build_once

    run = tmp_path_factory.getbasetemp()
    return build_once((run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "ready")


@pytest.fixture(scope="session")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ready_build: Path
) -> Iterator[Loop]:
    """Deployed once per worker, with the models of all modules whose stories share a deployment."""
    from tests.loop.conftest import started

    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    modules = {test.module for test in tests if "shared" in test.fixturenames}
    named = [(name, story) for module in modules for name, story in module.STORIES.items()]
    stories = dict(sorted(named))
    assert len(stories) == len(named), "two modules that share a deployment have a model of the same name"
    with started(stories, tmp_path_factory.mktemp("loop"), ready_build) as found:
        yield found


@pytest.fixture(scope="module")
def loop(shared: Loop) -> Iterator[Loop]:
    """The shared deployment, in which the module has a model of its own for each of its STORIES.

    STORIES say what differs from the Titanic's configuration. A module that updates the stack has a fixture
    `loop` of its own instead.
    """
    from tests.loop.conftest import pointed_at

    with pointed_at(shared.cloud):
        yield shared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that deploys and does not say so; the longest stories first, slow files last."""
    for item in items:
        started = STARTS_SOMETHING.keys() & set(getattr(item, "fixturenames", ()))
        if started and not (item.get_closest_marker("story") or item.get_closest_marker("slow")):
            name = min(started)
            raise pytest.UsageError(
                f"{item.nodeid} has no mark, and its fixture {name} starts {STARTS_SOMETHING[name]}: "
                "mark it with pytest.mark.slow, or pytest.mark.story if it takes a minute"
            )
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (*_order(item), item.path in slow, _place(item, HEAVIEST, -1)))


def _order(item: pytest.Item) -> tuple[int, bool]:
    return _place(item, LONGEST, len(LONGEST)), item.get_closest_marker("story") is None


def _place(item: pytest.Item, files: Sequence[str], otherwise: int) -> int:
    """The place of the test's file among `files`."""
    return next((place for place, name in enumerate(files) if name in item.nodeid), otherwise)
