"""Errors as SageMaker's API names them, and faults that end a job.

ServiceError                  answers the caller
├── ValidationException
├── SerializationException    the body is not what the protocol wants
├── ResourceNotFound
├── ResourceInUse
├── ResourceLimitExceeded
├── ConflictException
├── ThrottlingException
├── AccessDeniedException     somebody lacks a permission
└── InternalFailure
JobFault                      ends a job; its text is the FailureReason
├── ClientError               what the caller asked for cannot be done
├── AlgorithmError            the program failed
├── CapacityError             no instance to be had
├── FaultOfThisMachine        AWS on this machine failed
└── InternalServerError       SageMaker failed
StepFailure                   ends an attempt of a pipeline's step
StepStopped                   the execution was stopped before the step ended
"""

from typing import ClassVar


class ServiceError(Exception):
    """Answered as {"__type": code, "message": …}. `retry_as`: the ExceptionType of a RetryPolicy."""

    status: ClassVar[int] = 400
    retry_as: ClassVar[str | None] = None

    @property
    def code(self) -> str:
        return type(self).__name__


class ValidationException(ServiceError):
    """The request breaks a constraint."""


class SerializationException(ServiceError):
    """The body is not JSON, or a value has the wrong JSON type."""


class ResourceNotFound(ServiceError):
    """Named in the request, not there."""


class ResourceInUse(ServiceError):
    """The name is taken."""


class ResourceLimitExceeded(ServiceError):
    """A quota is used up."""

    retry_as = "SageMaker.RESOURCE_LIMIT"


class ConflictException(ServiceError):
    """The state of the thing does not permit it."""


class ThrottlingException(ServiceError):
    """Too many calls."""

    retry_as = "Step.THROTTLING"


class AccessDeniedException(ServiceError):
    """Somebody lacks a permission: who, which, and on what."""


class InternalFailure(ServiceError):
    """Our fault."""

    status = 500
    retry_as = "Step.SERVICE_FAULT"


class JobFault(Exception):
    """Ends a job as Failed. `retry_as`: the ExceptionType of a RetryPolicy that covers it, if any."""

    retry_as: ClassVar[str | None] = None

    @property
    def reason(self) -> str:
        """FailureReason, at most 1024 characters as in AWS."""
        return f"{type(self).__name__}: {self}"[:1024]


class ClientError(JobFault):
    """What the caller asked for cannot be done: no such object, no permission."""


class AlgorithmError(JobFault):
    """The program failed."""


class CapacityError(JobFault):
    """No instance to be had."""

    retry_as = "SageMaker.CAPACITY_ERROR"


class FaultOfThisMachine(JobFault):
    """AWS on this machine has a fault of its own: trying again would hide it."""


class InternalServerError(JobFault):
    """SageMaker failed."""

    retry_as = "SageMaker.JOB_INTERNAL_ERROR"


class StepFailure(Exception):
    """An attempt of a step failed. Its text is the FailureReason.

    `retry_as` is the ExceptionType of a RetryPolicy that covers it, if there is one.
    """

    def __init__(self, reason: str, retry_as: str | None = None) -> None:
        super().__init__(reason)
        self.retry_as = retry_as


class StepStopped(Exception):
    """The execution was stopped before the step ended."""
