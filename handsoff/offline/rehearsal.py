"""What a start and an execution would do, on this machine and without AWS: for `handsoff check`."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handsoff.errors import UsageError
from handsoff.offline.contract import check_code, image_of
from handsoff.offline.finding import Finding, fails, fine, note
from handsoff.offline.looking import STEPS_IMAGE, DataFiles, run
from handsoff.offline.traces import keep, place
from handsoff.operating.predicting import last_lines, without_credentials
from handsoff.project import Project
from local.images import installing, layers, requirements
from local.images.environments import Environments, locked
from pipeline_def import publish
from retraining.config.rules import COMPARED_ROWS
from retraining.config.schema import ModelConfig
from retraining.starts.names import ignored_as, is_data, split_of
from retraining.verdicts.evaluation import Evaluation, parse_evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from retraining.verdicts.wording import counted

ROWS: Final = 400
"""Rows of each split that the trial uses."""

MAX_REASONS: Final = 3
"""Rules that fail that are shown."""

MAX_CANDIDATES: Final = 3
"""Settings that a search of the trial tries. A search of an execution may take hours."""

REVERSED: Final = 0.4
"""The roc_auc up to which own code seems to answer the other class's probability."""

REGION: Final = "us-east-1"
"""The region whose image is named in the trial's contract. Nothing is pulled from it."""

ARN: Final = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/check/execution/check"
"""The execution that the trial's evaluation names."""


def shortened(model: dict[str, Any]) -> dict[str, Any]:
    """The config of the trial: `model`, a ModelConfig as plain data, with a search of few candidates.

    Values are shown: they are of the user's own files, and nothing leaves this machine.
    """
    model = {**model, "approvers": {**model.get("approvers", {}), "show_values": True}}
    search = model["training"].get("search")
    if not search:
        return model
    few = {**search, "candidates": min(search["candidates"], MAX_CANDIDATES)}
    return {**model, "training": {**model["training"], "search": few}}


@dataclass(frozen=True)
class Rehearsal:
    """One model, its files, and how progress is shown: `step` around what takes a while, `say` one line."""

    project: Project
    name: str
    files: DataFiles | None
    step: Callable[[str], AbstractContextManager[None]]
    say: Callable[[str], None]

    @property
    def model(self) -> ModelConfig:
        """The model's configuration."""
        return self.project.config.models[self.name]

    def unseen(self, *, quick: bool) -> list[str]:
        """What `findings` does not look at, if nothing fails before."""
        own = self.model.training.own_code
        if self.files is None:
            return ["data", "training", "scoring"]
        return ["training", "scoring"] if quick or (own and image_of(self.model) is None) else []

    def findings(self, *, quick: bool) -> Iterator[Finding]:
        """What is found, in the order of an execution. It ends after the first stage that fails."""
        yield fine("config", f"{self.name} in {self.project.file or 'the configuration'} is valid")
        code = list(check_code(self.model, self.project.folder)) if self.model.training.own_code else []
        yield from code
        if self.files is None:
            yield note("data", "no files were named, so neither data nor training was looked at")
            return
        names = list(self._names())
        yield from names
        if any(each.outcome == "fails" for each in (*code, *names)):
            return
        with tempfile.TemporaryDirectory(prefix="handsoff-check-") as scratch:
            yield from self._execution(Path(scratch), quick=quick)

    def _names(self) -> Iterator[Finding]:
        """What the names of the files say."""
        assert self.files  # nosec B101 # noqa: S101 - findings() has looked
        whole = self.model.data.whole
        for path, name in self.files.files:
            why = ignored_as(name, whole=whole)
            if not is_data(name, whole=whole):
                yield note("data", f"{path} would be left out: {why}")
        splits = {split_of(name) for _, name in self.files.files} - {None}
        if not whole and splits != {"train", "validation"}:
            missing = " and ".join(sorted({"train", "validation"} - splits))
            yield fails(
                "data",
                f"no file is of {missing}: name files train.csv and validation.csv (or folders train/ and "
                "validation/), or let rows be divided by data.split",
            )

    def _execution(self, scratch: Path, *, quick: bool) -> Iterator[Finding]:
        assert self.files  # nosec B101 # noqa: S101 - findings() has looked
        values = shortened(self.model.model_dump(mode="json"))
        code = publish.code_files(values, self.name, folder=self.project.folder, region=REGION)
        for path, content in code.items():
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).write_bytes(content)
        output = scratch / "data"
        request = {
            "config": str(scratch / "processing" / "model.json"),
            "files": [
                [str(path.resolve()), name]
                for path, name in self.files.files
                if is_data(name, whole=self.model.data.whole)
            ],
            "output": str(output),
            "rows": ROWS,
        }
        with self.step("DataPreProcessing: reading all rows"):
            answer = json.loads(run("prepare.py", json.dumps(request), self.say))
        if problem := answer.get("problem"):
            yield fails("data", problem)
            return
        rows, kept = answer["rows"], answer["kept"]
        yield fine("data", f"{rows['train']:,} training and {rows['validation']:,} validation rows are valid")
        if not quick:
            yield from self._trial(scratch, kept)

    def _trial(self, scratch: Path, kept: Mapping[str, int]) -> Iterator[Finding]:
        """Train and score with few rows."""
        own = self.model.training.own_code
        image = image_of(self.model) if own else STEPS_IMAGE
        if image is None:
            return
        environments = Environments()
        base = environments.environment(image, self.say)
        python = base / "bin" / "python"
        try:
            if own:
                with self.step(f"preparing the environment of {image.name}"):
                    python = _with_requirements(base, scratch / "sourcedir", environments)
            with self.step(f"TrainModel: {kept['train']:,} rows"):
                self._train(scratch, python)
            yield fine("training", f"trained with {kept['train']:,} rows in the packages of {image.name}")
            with self.step(f"ModelEvaluation: {kept['validation']:,} rows"):
                if own:
                    self._score(scratch, base / "bin" / "python")
                evaluation = self._evaluate(scratch, own=own)
        except Broken as error:
            yield fails(error.stage, self._said_of(error, scratch))
            return
        yield from self._judged(evaluation, kept)

    def _said_of(self, error: Broken, scratch: Path) -> str:
        """The reason of a failure, where own code has failed, and where all that it wrote is kept."""
        kept = keep(error.output, self.project.folder, error.stage)
        source = scratch / "sourcedir"
        files = [each.relative_to(source).as_posix() for each in source.rglob("*.py")]
        folder = Path(str(self.model.training.source_dir))
        own = self.model.training.own_code and place(error.output, files, folder)
        return f"{error.text} ({f'{own}; ' if own else ''}all that it wrote: {kept})"

    def _train(self, scratch: Path, python: Path) -> None:
        source, model = scratch / "sourcedir", scratch / "model"
        model.mkdir()
        own = self.model.training.own_code
        folder = scratch / "data"
        train, validation = (
            folder / (f"channel-{split}" if own else split) for split in ("train", "validation")
        )
        given = dict(self.model.training.hyperparameters) if own else {}
        variables = {
            "SM_CHANNEL_TRAIN": str(train),
            "SM_CHANNEL_VALIDATION": str(validation),
            "SM_CHANNELS": '["train","validation"]',
            "SM_MODEL_DIR": str(model),
            "SM_OUTPUT_DIR": str(scratch / "output"),
            "SM_OUTPUT_DATA_DIR": str(scratch / "output" / "data"),
            "SM_HPS": json.dumps(given),
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_GPUS": "0",
            "SM_NUM_CPUS": str(os.cpu_count() or 1),
            **{f"SM_HP_{name.upper().replace('-', '_')}": str(value) for name, value in given.items()},
        }
        (scratch / "output" / "data").mkdir(parents=True, exist_ok=True)
        script = "handsoff_entry.py" if own else "train.py"
        arguments = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        _run("training", [str(python), script, *arguments], source, variables, scratch)
        (scratch / "models").mkdir()
        with tarfile.open(scratch / "models" / "model.tar.gz", "w:gz") as archive:
            archive.add(model, arcname=".")

    def _score(self, scratch: Path, python: Path) -> None:
        arguments = [
            *(str(python), str(scratch / "scoring" / "score.py")),
            *("--model", str(scratch / "models"), "--rows", str(scratch / "data" / "rows" / "rows.csv")),
            *("--output", str(scratch / "predictions"), "--show-values"),
        ]
        _run("scoring", arguments, scratch, {}, scratch)

    def _evaluate(self, scratch: Path, *, own: bool) -> str:
        python = Environments().environment(STEPS_IMAGE, self.say) / "bin" / "python"
        data, report = scratch / "data", scratch / "data" / "report"
        source = (
            ["--candidate-predictions", str(scratch / "predictions")]
            if own
            else ["--model", str(scratch / "models")]
        )
        arguments = [
            *(str(python), str(scratch / "processing" / "evaluate.py")),
            *("--config", str(scratch / "processing" / "model.json"), *source),
            *("--validation", str(data / "validation")),
            *("--training-rows", str(report / "training_rows.parquet")),
            *("--report", str(report / "data_report.json"), "--profile", str(report / "data_profile.json")),
            *("--bucket", "none", "--group", "none", "--role", "none", "--execution", ARN),
            *("--output", str(scratch / "evaluation")),
        ]
        _run("evaluation", arguments, scratch, {}, scratch)
        return (scratch / "evaluation" / "evaluation.json").read_text(encoding="utf-8")

    def _judged(self, text: str, kept: Mapping[str, int]) -> Iterator[Finding]:
        """What the rules say about the trial. Few rows decide nothing, but rules about data look at all."""
        evaluation = parse_evaluation(text, source="the trial's evaluation")
        verdict = judge(evaluation, self.model.approval, None)
        known = evaluation.candidate.metrics.items()
        metrics = ", ".join(f"{metric} {one.value:.3g}" for metric, one in known if one.value is not None)
        yield fine("scoring", f"scored {kept['validation']:,} rows: {metrics}")
        if few := self._too_few(kept["validation"]):
            yield note("rules", few)
        if reversed_ := self._reversed(evaluation):
            yield note("scoring", reversed_)
        yield note("rules", f"on these few rows, of the rules that need no champion: {_said(verdict)}")

    def _too_few(self, validation: int) -> str:
        """What is said where every rule on all rows would hold a candidate for their number."""
        if validation >= COMPARED_ROWS:
            return ""
        return (
            f"{counted(validation, 'validation row')}: rules ask for at least {COMPARED_ROWS}, so each "
            "candidate would wait for a person"
        )

    def _reversed(self, evaluation: Evaluation) -> str:
        """What is said where own code seems to answer the probability of the other class."""
        auc = evaluation.candidate.metrics.get("roc_auc")
        if not self.model.training.own_code or auc is None or auc.value is None or auc.value > REVERSED:
            return ""
        negative, positive = self.model.classes or ("0", "1")
        return (
            f"roc_auc {auc.value:.3g} is below 0.5, as if the probability of {negative} was answered: "
            f"predict_fn must answer that of {positive}, the second one of classes "
            "(scikit-learn sorts its own: see model.classes_)"
        )


def _said(verdict: Verdict) -> str:
    """Which rules fail on the rows of the trial, and which they do not decide."""
    parts = []
    for outcome, word in (("fail", ""), ("undecided", "undecided: ")):
        texts = [
            each.text
            for rule in verdict.rules
            for each in rule.findings or (rule,)
            if each.outcome == outcome
        ]
        parts += [f"{word}{text}" for text in texts[:MAX_REASONS]]
    return "; ".join(parts) or "none fails"


class Broken(UsageError):
    """A program of the trial ended with an error: `stage` is what it did, `output` all that it wrote."""

    def __init__(self, stage: str, text: str, output: str) -> None:
        super().__init__(text)
        self.stage, self.text, self.output = stage, text, output


def _with_requirements(base: Path, source: Path, environments: Environments) -> Path:
    """The Python of an environment with the requirements of own code on top of its image's packages."""
    asked = source / "requirements.txt"
    if not asked.exists():
        return base / "bin" / "python"
    settings = installing.pip_settings(environments.variables)

    def install(python: Path) -> bool:
        _run(
            "training", [str(python), "-m", "pip", "install", "--quiet", "-r", str(asked)], source, {}, source
        )
        return True

    found = requirements.kept(
        installing.cache(environments.variables), base, asked.read_text(encoding="utf-8")
    )
    if found is None:
        python = layers.make(source.parent / "environment", [base], settings)
        install(python)
        return python
    with locked(found.lock):
        if not found.since:
            found.make(settings, install)
    return found.folder / "bin" / "python"


def _run(stage: str, command: list[str], folder: Path, variables: Mapping[str, str], scratch: Path) -> None:
    """Run a program of the trial, without AWS credentials. Raises Broken with the reason."""
    kept = {name: value for name, value in without_credentials().items() if not name.startswith("SM_")}
    own = {
        "AWS_DEFAULT_REGION": REGION,
        "SAGEMAKER_BASE_DIR": str(scratch),
        "PYTHONUNBUFFERED": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env={**kept, **own, **variables}, capture_output=True, check=False
    )
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace")
        for name in ("failure", "message"):
            reason = scratch / "output" / name
            if reason.exists() and (text := reason.read_text(encoding="utf-8").strip()):
                raise Broken(stage, text, output)
        tail = "; ".join(line.strip() for line in last_lines(done.stderr))
        raise Broken(stage, tail or f"exit code {done.returncode}", output)
