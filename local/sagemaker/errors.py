"""Errors as SageMaker's API names them, faults that end a job, and how a step ends early.

ServiceError                  the answer to the caller
├── ValidationException
├── SerializationException    the body breaks the protocol
├── ResourceNotFound
├── ResourceInUse
├── ConflictException
├── ResourceLimitExceeded     a quota of the account leaves no room
├── ThrottlingException
├── AccessDeniedException     a caller or a role lacks a permission
└── InternalFailure
JobFault                      ends a job; its text becomes the FailureReason
├── ClientError               the request cannot be carried out
├── AlgorithmError            the program failed
├── CapacityError             no instance is available
└── FaultOfThisMachine        AWS on this machine failed
StepFailure                   ends an attempt of a pipeline's step
StepStopped                   the execution was stopped before the step ended
"""

from typing import ClassVar, Final

MAX_REASON: Final = 1024
"""Characters of a FailureReason in AWS."""


class ServiceError(Exception):
    """Answered as {"__type": code, "message": …}. `retry_as`: the ExceptionType of a RetryPolicy."""

    status: ClassVar[int] = 400
    retry_as: ClassVar[str | None] = None

    @property
    def code(self) -> str:
        """The error's name in the API."""
        return type(self).__name__


class ValidationException(ServiceError):
    """The request breaks a constraint."""


class SerializationException(ServiceError):
    """The body is not JSON, or a value has the wrong JSON type."""


class ResourceNotFound(ServiceError):
    """A thing that the request names does not exist."""


class ResourceInUse(ServiceError):
    """The name is in use."""


class ConflictException(ServiceError):
    """The state of the thing does not allow the call."""


class ResourceLimitExceeded(ServiceError):
    """A quota of the account leaves no room for another job."""

    retry_as = "SageMaker.RESOURCE_LIMIT"


class ThrottlingException(ServiceError):
    """Too many calls."""

    retry_as = "Step.THROTTLING"


class AccessDeniedException(ServiceError):
    """A caller or a role lacks a permission. The text says who, which one, and on which resource."""


class InternalFailure(ServiceError):
    """An error in this program."""

    status = 500
    retry_as = "Step.SERVICE_FAULT"


class JobFault(Exception):
    """Ends a job as Failed. `retry_as`: the ExceptionType of a RetryPolicy that covers it, if any."""

    retry_as: ClassVar[str | None] = None

    @property
    def reason(self) -> str:
        """The FailureReason, at most MAX_REASON characters."""
        return f"{type(self).__name__}: {self}"[:MAX_REASON]


class ClientError(JobFault):
    """The request cannot be carried out: there is no such object, or no permission."""


class AlgorithmError(JobFault):
    """The program failed."""


class CapacityError(JobFault):
    """No instance is available."""

    retry_as = "SageMaker.CAPACITY_ERROR"


class FaultOfThisMachine(JobFault):
    """An error in AWS on this machine. No retry policy covers it, because a retry would hide it."""


class StepFailure(Exception):
    """An attempt of a step failed. Its text is the FailureReason.

    `retry_as` is the ExceptionType of a RetryPolicy that covers it, if there is one.
    """

    def __init__(self, reason: str, retry_as: str | None = None) -> None:
        super().__init__(reason)
        self.retry_as = retry_as


class StepStopped(Exception):
    """The execution was stopped before the step ended."""
