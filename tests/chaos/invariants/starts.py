"""Invariants of landings, starts and executions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from retraining.facts import keys
from tests.chaos.clock import BEGIN
from tests.chaos.invariants import views
from tests.chaos.invariants.views import View
from tests.chaos.pipelines import Trained

if TYPE_CHECKING:
    from tests.chaos.runner import Run

BOUND: Final = 75 * 60.0
"""Seconds after the faults within which what was ready has started: cooldown, execution, back-off."""


def every_marker_version_is_answered(run: Run) -> Iterator[str]:
    """The newest marker's batch has an execution over exactly the versions as of it, or a recorded refusal.

    A refusal is right if a split has no data, a file is bad or unreadable, or the same bytes started before.
    """
    for model in run.models:
        if not views.marks(run, model) or model in run.faulty:
            continue
        known, keys_of = views.markers(run, model), views.marker_keys(model)
        top = known[-1] if known else None
        if top is None or top not in map(run.account.bucket.newest, keys_of):
            continue  # none is in sight, or a newer one was purged, which had superseded this one
        if any(key in keys_of[1:] for _, key, _ in run.account.bucket.purged):
            continue  # a version of a pair was purged: other versions make pairs now
        seen = list(views.views(run, model, top))
        if not any(_answered(run, model, top[0], view) for view in seen):
            state = run.account.ledger.get(keys.model(model))
            said = f"{state.state.answer}: {state.state.reason}" if state else "nothing"
            marker = f"marker {top[0]} of {top[2]:%H:%M:%S}"
            yield f"{model}: {marker} has no execution over {seen[-1].versions}; {said}"


def _answered(run: Run, model: str, marker: str, view: View) -> bool:
    if not view.complete or view.of("bad", "unreadable"):
        found = run.account.ledger.get(keys.model(model))
        known = found.state.answered_marker if found else None
        return known is not None and known.version_id == marker
    return any(_same_bytes(run, trained, view) for trained in of_model(run, model))


def _same_bytes(run: Run, trained: Trained, view: View) -> bool:
    return bool(trained.versions) and contents(run, trained) == view.content


def contents(run: Run, trained: Trained) -> dict[str, bytes | None]:
    """The bytes by key that an execution was trained on."""
    found = views.stacks(run, trained.model, -1.0)
    return {
        key: next((it[1] for it in found.get(key, []) if it[0] == version), None)
        for key, version in trained.versions.items()
    }


def of_model(run: Run, model: str) -> list[Trained]:
    """The executions of a model."""
    return [it for it in run.account.sagemaker.trained.values() if it.model == model]


def no_execution_reads_a_mixture(run: Run) -> Iterator[str]:
    """Where a model uses a marker, an execution reads the versions as of one of its markers, and no others.

    Files that went to quarantine may be absent. Without a marker in sight, a start reads what is listed.
    """
    for model in run.models:
        known = views.markers(run, model) if views.marks(run, model) else []
        for trained in of_model(run, model):
            if not trained.versions or not _follows_a_marker(run, trained):
                continue
            allowed = (view for marker in known for view in views.views(run, model, marker))
            if not any(_reads(trained, view) for view in allowed):
                which = f"{trained.arn[-4:]} of {model}, by {trained.trigger},"
                yield f"{which} reads {trained.versions}: as of no marker"


def _follows_a_marker(run: Run, trained: Trained) -> bool:
    """Whether the marker was in sight before the execution began, and nobody took it away since."""
    of_model = views.marker_keys(trained.model)
    first = next(iter(views.markers(run, trained.model)), None)
    if first is None or first[2] > BEGIN + timedelta(seconds=trained.at):
        return False
    taken_away = any(it[1] is None for key in of_model for it in run.account.bucket.versions.get(key, []))
    return not taken_away and all(purged not in of_model for _, purged, _ in run.account.bucket.purged)


def _reads(trained: Trained, view: View) -> bool:
    absent = view.versions.keys() - trained.versions.keys()
    return absent <= view.of("bad", "unreadable") and view.without(absent) == trained.versions


def every_landing_without_marker_is_answered(run: Run) -> Iterator[str]:
    """A model without a marker has an execution over what is listed at the end, unless that may not start.

    What remains once bad files are in quarantine starts only with the next landing.
    """
    for model in run.models:
        if views.marks(run, model) or model in run.faulty or model in run.account.bucket.thinned:
            continue
        view = views.as_of(run, model, None, run.clock.seconds)
        ready = view.complete and not view.of("bad", "unreadable") and not _remains(run, model, view)
        if ready and not any(_same_bytes(run, trained, view) for trained in of_model(run, model)):
            yield f"{model}: {view.versions} is listed and was never started"


def _remains(run: Run, model: str, view: View) -> bool:
    """Whether these are the files that were left when the last bad file went to quarantine.

    They start by other files or a person only, also if the same bytes land again.
    """
    versions = run.account.bucket.versions
    moved = [
        it[2] for key, stack in versions.items() if key.startswith(f"quarantine/{model}/") for it in stack
    ]
    if not moved:
        return False
    last = max(moved)
    if last >= max(versions[key][-1][2] for key in view.objects):
        return True
    then = views.as_of(run, model, ("", None, last), run.clock.seconds)
    left = {key: body for key, body in then.content.items() if key not in then.of("bad")}
    started = any(BEGIN + timedelta(seconds=trained.at) >= last for trained in of_model(run, model))
    return left == view.content and not started


def one_execution_for_each_start(run: Run) -> Iterator[str]:
    """A start key has one execution, and a model runs one execution of handsoff's at a time.

    Executions that were deleted with their pipeline are left out: nobody can know of them.
    """
    by_token = defaultdict(list)
    for trained in run.account.sagemaker.trained.values():
        if trained.trigger != "manual" and trained.arn not in run.account.sagemaker.deleted:
            by_token[trained.token].append(trained)
    for token, same in by_token.items():
        if len(same) > 1:
            arns = [it.arn[-4:] for it in same]
            yield f"start {token[:12]} of {same[0].model} has {len(same)} executions: {arns}"
    for model in run.models:
        ours = sorted((it for it in of_model(run, model) if it.trigger != "manual"), key=lambda it: it.at)
        for first, second in pairwise(ours):
            if not first.ends or first.ends[0][0] > second.at:
                yield f"{model}: {second.arn[-4:]} began while {first.arn[-4:]} ran"


def no_landing_starts_the_same_bytes_twice(run: Run) -> Iterator[str]:
    """Two executions that landings asked for read different bytes."""
    for model in run.models:
        known: dict[str, str] = {}
        for trained in of_model(run, model):
            gone = trained.arn in run.account.sagemaker.deleted
            if trained.trigger == "landing" and trained.batch and not gone:
                if trained.batch in known:
                    yield f"{model}: {known[trained.batch]} and {trained.arn[-4:]} have the same batch"
                known[trained.batch] = trained.arn[-4:]


def every_end_is_recorded(run: Run) -> Iterator[str]:
    """An execution that ended has that final state in ledger and evidence; a failure and a stop are told."""
    kinds = {"execution_failed": "Failed", "execution_stopped": "Stopped"}
    told = {
        (it.body["executionArn"], kinds[it.body["kind"]])
        for it in run.account.topic.taken
        if it.body["kind"] in kinds
    }
    for made in run.account.sagemaker.executions.values():
        arn, status = made["PipelineExecutionArn"], made["PipelineExecutionStatus"]
        if status == "Executing":
            continue
        fact = run.account.ledger.get(keys.execution(arn))
        if fact is None or not fact.final or fact.status != status:
            yield f"{arn[-30:]} {status}: the ledger says {fact.status if fact else 'nothing'}"
        model = run.account.sagemaker.trained[arn].model
        text = run.account.bucket.text(f"evidence/{model}/{arn.rsplit('/', 1)[-1]}/evidence.json")
        if text is None or f'"pipelineExecutionStatus": "{status}"' not in text:
            yield f"{arn[-30:]} {status}: its evidence {'says otherwise' if text else 'is missing'}"
        if status in kinds.values() and (arn, status) not in told:
            yield f"{arn[-30:]} {status.lower()}, and nobody was told"


def files_stay_as_they_were_left(run: Run) -> Iterator[str]:
    """On top of each key lies what a producer or a person left there last, unless that file was bad."""
    for model, producer in run.producers.items():
        for key, version in run.account.bucket.left.items():
            if not key.startswith(f"curated/{model}/") or producer.quality.get(version or "") in (
                "bad",
                "unreadable",
            ):
                continue
            top = run.account.bucket.newest(key)
            shown = top[0] if top and top[1] is not None else None
            if shown != version:
                was = version or "a deletion"
                yield f"{key[:80]}: {was} was left there, {shown or 'nothing'} is in sight"


def nothing_waits_untold(run: Run) -> Iterator[str]:
    """A model whose request, start or bad file is still open at the end has told why."""
    for model in run.models:
        found = run.account.ledger.get(keys.model(model))
        if found is None:
            continue
        state = found.state
        waits = [
            *(["requests"] if state.pending else []),
            *(["a start without execution"] if state.running and not state.running.execution_arn else []),
            *(["bad files"] if state.bad_files else []),
        ]
        blocked = [
            it
            for it in run.account.topic.taken
            if it.body["kind"] == "start_blocked" and it.body["model"] == model
        ]
        if waits and not blocked:
            yield f"{model}: {' and '.join(waits)} wait untold; {state.answer}: {state.reason}"


def a_faulty_model_delays_no_other(run: Run) -> Iterator[str]:
    """What was ready when the faults ended has started within BOUND, whatever another model does."""
    for trained in run.account.sagemaker.trained.values():
        late = trained.at - run.settled_at
        if trained.trigger == "landing" and trained.model not in run.faulty and late > BOUND:
            yield f"{trained.arn[-4:]} of {trained.model} started {late / 60:.0f} minutes after the faults"
