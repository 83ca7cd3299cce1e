"""Repairs of ministack 1.5.33: where it differs from AWS in what this project uses. One function each.

Each repair replaces functions of ministack in this process. tests/local/test_local_repairs.py runs each
defect against unrepaired ministack. A test fails there once a newer release no longer needs the repair.
"""

from local.ministack.repairs.concurrency import (
    reserved_is_reserved,
    template_reserves_concurrency,
    throttled_calls_wait,
    versions_share_the_reservation,
)
from local.ministack.repairs.function_urls import function_urls_lead_here
from local.ministack.repairs.invocations import (
    alias_keeps_its_invoke_config,
    rules_invoke_asynchronously,
    topics_invoke_asynchronously,
)
from local.ministack.repairs.logs import events_are_filtered_by_stream_prefix
from local.ministack.repairs.metrics import (
    alarms_look_at_periods,
    alarms_need_no_call,
    every_invocation_is_measured,
    printed_metrics_count,
    queues_are_measured,
)
from local.ministack.repairs.objects import every_object_has_a_checksum, reads_of_a_part_are_cut
from local.ministack.repairs.queues import queue_batches_and_windows
from local.ministack.repairs.schedules import (
    rate_schedule_starts_as_it_says,
    schedule_fills_its_placeholders,
    schedule_without_queue_uses_its_failure_queue,
    updated_schedule_fires_again,
)
from local.ministack.repairs.services import unknown_services_are_known_by_name
from local.ministack.repairs.templates import conditions_know_the_region
from local.ministack.repairs.updates import updates_let_invocations_end


def apply() -> None:
    """Repair ministack in this process. Call it once, before serving."""
    rules_invoke_asynchronously()
    topics_invoke_asynchronously()
    alias_keeps_its_invoke_config()
    throttled_calls_wait()
    queue_batches_and_windows()
    template_reserves_concurrency()
    versions_share_the_reservation()
    reserved_is_reserved()
    function_urls_lead_here()
    updated_schedule_fires_again()
    rate_schedule_starts_as_it_says()
    schedule_without_queue_uses_its_failure_queue()
    schedule_fills_its_placeholders()
    conditions_know_the_region()
    printed_metrics_count()
    every_invocation_is_measured()
    alarms_look_at_periods()
    queues_are_measured()
    alarms_need_no_call()
    reads_of_a_part_are_cut()
    every_object_has_a_checksum()
    updates_let_invocations_end()
    events_are_filtered_by_stream_prefix()
    unknown_services_are_known_by_name()
