"""Each repair: unrepaired ministack still needs it, and repaired ministack behaves as AWS."""

import inspect
from pathlib import Path

import pytest

from local.ministack import repairs
from local.ministack.repairs.invocations import invoke_config
from tests.probing import probed

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "rules_invoke_asynchronously",
    "topics_invoke_asynchronously",
    "alias_keeps_its_invoke_config",
    "throttled_calls_wait",
    "queue_batches_and_windows",
    "template_reserves_concurrency",
    "versions_share_the_reservation",
    "reserved_is_reserved",
    "function_urls_lead_here",
    "updated_schedule_fires_again",
    "rate_schedule_starts_as_it_says",
    "schedule_without_queue_uses_its_failure_queue",
    "schedule_fills_its_placeholders",
    "conditions_know_the_region",
    "printed_metrics_count",
    "every_invocation_is_measured",
    "alarms_look_at_periods",
    "queues_are_measured",
    "alarms_need_no_call",
    "reads_of_a_part_are_cut",
    "every_object_has_a_checksum",
    "updates_let_invocations_end",
    "events_are_filtered_by_stream_prefix",
    "unknown_services_are_known_by_name",
]

PROBES = "tests.local.probes"

pytestmark = pytest.mark.story


@pytest.mark.parametrize("name", NAMES)
def test_ministack_still_needs_the_repair(name: str) -> None:
    assert not probed(PROBES)[name], f"ministack no longer needs the repair {name}: delete it"


@pytest.mark.parametrize("name", NAMES)
def test_repaired_ministack_behaves_as_aws(name: str) -> None:
    assert probed(PROBES, "repaired")[name]


def test_every_repair_is_applied_and_probed() -> None:
    applied = [line.strip().removesuffix("()") for line in inspect.getsource(repairs.apply).splitlines()[2:]]
    assert applied == NAMES
    assert list(probed(PROBES, "repaired")) == NAMES


@pytest.mark.parametrize(
    ("version", "configs", "expected"),
    [
        ("3", {"live": {"a": 1}, "$LATEST": {"a": 2}}, {"a": 1}),
        ("2", {"live": {"a": 1}, "$LATEST": {"a": 2}}, {"a": 2}),
        ("2", {"live": {"a": 1}, "2": {"a": 3}}, {"a": 3}),
        ("2", {"live": {"a": 1}}, None),
        ("$LATEST", {"": {"a": 4}}, {"a": 4}),
    ],
)
def test_invoke_config_is_that_of_the_alias_of_the_version(
    version: str, configs: dict[str, dict[str, int]], expected: dict[str, int] | None
) -> None:
    base = {"aliases": {"live": {"FunctionVersion": "3"}}, "event_invoke_configs": configs}
    assert invoke_config(base, version) == expected
