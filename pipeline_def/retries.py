"""When SageMaker tries a step of the pipeline again: its retry policies, as plain data."""

from __future__ import annotations

from typing import Final

from pipeline_def.language import Json

THROTTLED: Final[Json] = {
    "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"],
    "IntervalSeconds": 10,
    "BackoffRate": 2.0,
    "MaxAttempts": 5,
}
"""Retries of a step whose job SageMaker's API did not create."""

NO_CAPACITY: Final[Json] = {
    "ExceptionType": ["SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"],
    "IntervalSeconds": 60,
    "BackoffRate": 2.0,
    "MaxAttempts": 5,
}
"""Retries of a job that SageMaker created and could not run. A failure of a script is not retried."""


OVER_QUOTA: Final[Json] = {
    "ExceptionType": ["SageMaker.RESOURCE_LIMIT"],
    "IntervalSeconds": 300,
    "BackoffRate": 1.0,
    "ExpireAfterMin": 24 * 60,
}
"""Retries of a job that would exceed a quota of instances: every five minutes for a day, until others end.

SageMaker does not retry these by itself. A policy names MaxAttempts, at most 20, or ExpireAfterMin, at most
14,400 (sagemaker.workflow.retry of the SageMaker SDK). The interval does not grow: an instance is free when
another job ends, whatever the time waited. An execution's jobs may run for 8 hours.
"""

JOB_RETRIES: Final[tuple[Json, ...]] = (THROTTLED, NO_CAPACITY, OVER_QUOTA)
"""The retry policies of a step that runs a job."""
