"""Lets the functions work for hours of virtual time and says what they keep: `python -m tests.soak`.

Twenty models get deliveries every few minutes, all in this process, on the fakes of the chaos harness and
without faults. The account forgets what is old, so only the functions can grow. Writes a table (CSV) and a
picture of it.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Final

from retraining.config.schema import ModelConfig
from tests.chaos.functions import virtual
from tests.chaos.runner import HOUR, MINUTE, Run
from tests.functions.fakes import titanic_config

MODELS: Final = 20
"""Models that get deliveries."""

DELIVERY: Final = 6 * MINUTE
"""Time between two deliveries of a model, on average."""

KEPT: Final = HOUR / 2
"""How long the account remembers what has ended: its own memory is not what is measured."""

MAX_FACTS: Final = 500
"""Facts about what has ended that the ledger keeps. The warm-up makes more."""

ONCE: Final = frozenset(
    {"asked", "batch", "decision", "execution", "notification", "quarantined"}
    | {"slack", "start", "stray", "trouble", "verdict"}
)
"""The kinds of these facts."""

WARM_UP: Final = HOUR
"""Time before the first measurement: imports and caches fill."""

ALLOWED: Final = 1.1
"""The last tenth's mean over the first tenth's, at most."""

PICTURE: Final = Path(__file__).parents[2] / "docs" / "images" / "soak.svg"
"""Where `make soak` writes its picture."""


@dataclass
class Soak:
    """The run and its measurements: by name, one value for each minute."""

    hours: float
    measured: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = titanic_config().model_dump(mode="json", exclude_none=True)
        values["approvers"] = {"slack_channel": "#ml-approvals", "slack_users": []}
        values["retrain"] |= {"daily_limit": 1000}
        values["retrain"].pop("schedule", None)
        values["approval"] |= {"remind_after": "20m", "expire_after": "40m"}
        config = ModelConfig.model_validate(values)
        self.run = Run(1, configs={f"model-{number:02}": config for number in range(MODELS)})

    def play(self) -> None:
        """Let it all happen."""
        run, end = self.run, WARM_UP + self.hours * HOUR
        with virtual(run.clock) as printed:
            for number, producer in enumerate(run.producers.values()):
                at = number * DELIVERY / MODELS
                while at < end:
                    run.clock.at(at, producer.deliver)
                    at += DELIVERY
            minute = 0.0
            while minute < end:
                run.events.object_landed(f"curated/unknown-{int(minute)}/train.csv", "v0")
                run.settle_with_events(MINUTE)
                printed.seek(0)
                printed.truncate()
                self._forget()
                if minute >= WARM_UP:
                    self._measure()
                minute += MINUTE

    def _measure(self) -> None:
        gc.collect()
        with open("/proc/self/statm") as memory:
            pages = int(memory.read().split()[1])
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        now = {
            "memory in MB": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            "open handles": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "processes": 1 + len(children),
            "temporary files": 1 + len(os.listdir(tempfile.gettempdir())),
            "names kept by functions": 1 + self.run.functions.names_kept(),
        }
        for name, value in now.items():
            self.measured.setdefault(name, []).append(value)

    def _forget(self) -> None:
        """Let the account forget what is older than KEPT. The functions are not told."""
        account, cut = self.run.account, self.run.clock.now().timestamp() - KEPT
        gone = {
            arn
            for arn, it in account.sagemaker.packages.items()
            if it["ModelApprovalStatus"] == "Rejected" and it["LastModifiedTime"].timestamp() < cut
        }
        for token, made in list(account.sagemaker.executions.items()):
            if made["PipelineExecutionStatus"] != "Executing" and made["LastModifiedTime"].timestamp() < cut:
                arn = account.sagemaker.executions.pop(token)["PipelineExecutionArn"]
                account.sagemaker.steps_of.pop(arn, None)
                account.sagemaker.trained.pop(arn, None)
                gone |= {arn, token}
        approved = [
            a for a, it in account.sagemaker.packages.items() if it["ModelApprovalStatus"] == "Approved"
        ]
        newest = {arn.rsplit("/", 1)[0]: arn for arn in approved}
        gone |= {arn for arn in approved if newest[arn.rsplit("/", 1)[0]] != arn}
        for arn in gone:
            account.sagemaker.packages.pop(arn, None)
        self._forget_objects(cut)
        facts = [fact for fact in account.table.items if fact.split("#", 1)[-1] in gone or _once(fact)]
        for fact in facts[: max(len(facts) - MAX_FACTS, 0)]:
            del account.table.items[fact]
        self._forget_told()
        del self.run.functions.failures[:-50]

    def _forget_told(self) -> None:
        account = self.run.account
        for kept in (
            account.topic.taken,
            account.sagemaker.updates,
            account.channel.texts,
            account.bus.taken,
        ):
            del kept[:-200]
        for shown in list(account.channel.messages)[:-200]:
            del account.channel.messages[shown]

    def _forget_objects(self, cut: float) -> None:
        versions = self.run.account.bucket.versions
        for key, stack in list(versions.items()):
            versions[key] = [it for it in stack if it[2].timestamp() >= cut] or stack[-1:]
            if not key.startswith("curated/") and versions[key][-1][2].timestamp() < cut:
                del versions[key]
        del self.run.account.bucket.purged[:]
        there = {version for stack in versions.values() for version, _, _ in stack}
        for producer in self.run.producers.values():
            producer.quality = {it: said for it, said in producer.quality.items() if it in there}


def _once(fact: str) -> bool:
    return fact.split("#", 1)[0] in ONCE


def report(soak: Soak, table: Path, picture: Path) -> bool:
    """Write table and picture, and print the ratio of each measurement; whether all are within ALLOWED."""
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["minute", *soak.measured])
        rows.writerows([minute, *row] for minute, row in enumerate(zip(*soak.measured.values(), strict=True)))
    ratios = []
    for name, values in soak.measured.items():
        tenth = max(len(values) // 10, 1)
        first, last = fmean(values[:tenth]), fmean(values[-tenth:])
        ratios.append(last / first)
        print(f"{name:<24} {first:>8.1f} → {last:>8.1f}  ratio {ratios[-1]:.3f}")
    begun, decided = sum(soak.run.functions.invoked.values()), len(soak.run.account.sagemaker.statuses)
    said = (
        f"{MODELS} models, {soak.hours:g} hours of virtual time, {begun:,} invocations, {decided:,} decisions"
    )
    from tests.soak.picture import draw  # matplotlib takes half a second, and few tests draw

    draw(soak.measured, said, picture)
    worst = max(ratios)
    print(f"soak: {said}; worst ratio {worst:.3f}, allowed {ALLOWED:g}; {table}, {picture}")
    return worst <= ALLOWED


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--hours", type=float, default=6.0, help="hours of virtual time that are measured (6)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(".handsoff/soak.csv"), help="the table (.handsoff/soak.csv)"
    )
    parser.add_argument("--picture", type=Path, default=PICTURE, help="the picture (docs/images/soak.svg)")
    given = parser.parse_args()
    given.out.parent.mkdir(exist_ok=True)
    soak = Soak(given.hours)
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # other programs write into the usual one meanwhile
        soak.play()
    return 0 if report(soak, given.out, given.picture) else 1


if __name__ == "__main__":
    sys.exit(main())
