"""What can go wrong in the command line, as a tree. `main` prints the message and ends with exit code 1.

HandsoffError           the root, in retraining.errors
├── UsageError          arguments of a command, or settings of AWS clients, do not fit together
├── NotDeployed         the command needs a deployment, and AWS has none here
├── NotFound            there is no such execution, model package or file
├── NotPermitted        AWS lets the caller not do what the command needs
├── NotOurs             the model was not written by a training job of the pipeline; it is not loaded
├── NotServed           the model's code gave no answer to the rows
├── AlreadyDecided      another decision stands on the model package
├── NotConfirmed        the user did not confirm; nothing was changed
├── Refused             the change would end data, or belongs to another deployment
├── Unfit               `handsoff doctor` found an error
├── StillRunning        an execution runs on a pipeline that would be removed
├── StepFailed          a step of a deployment failed
├── ToolMissing         a program is not installed
├── ProjectReadOnly     state cannot be written beside the configuration
├── ToolFailed          a program ended with an error
└── NotInvocable        a function cannot run in a container here
"""

from __future__ import annotations

from typing import Final

from retraining.errors import HandsoffError

START_LOCAL: Final = "`handsoff local up --detach` (in a clone `make up`)"
"""How messages say what starts AWS on this machine."""

USE_LOCAL: Final = f'{START_LOCAL}, then `eval "$(handsoff local env)"`'
"""How messages say what starts AWS on this machine and makes AWS clients use it."""


class UsageError(HandsoffError):
    """Arguments or settings do not fit together; the message says which combination was expected."""


class NotDeployed(HandsoffError):
    """The command needs a deployment, and there is none where AWS's environment variables point."""


class NotFound(HandsoffError):
    """There is no such execution, model package or file."""


class NotPermitted(HandsoffError):
    """The caller lacks a permission; the message names it, and what to do instead."""


class NotOurs(HandsoffError):
    """No training job of the pipeline wrote the model. It is not loaded; the message says what was found."""


class NotServed(HandsoffError):
    """The model's code gave no answer to the rows; the message has its reason."""


class AlreadyDecided(HandsoffError):
    """Another decision stands on the model package; the message names it."""


class NotConfirmed(HandsoffError):
    """The user did not confirm; nothing was changed."""


class Refused(HandsoffError):
    """The change would harm what exists; the message says what it would harm and what to do instead."""


class Unfit(HandsoffError):
    """`handsoff doctor` found an error; nothing was changed."""


class StillRunning(HandsoffError):
    """An execution runs on a pipeline that would be removed; nothing was changed."""


class StepFailed(HandsoffError):
    """A step of a deployment failed; the message names it and the cause. The command can be repeated."""


class ToolMissing(HandsoffError):
    """A program that the command runs is not installed."""


class ProjectReadOnly(HandsoffError):
    """State cannot be written beside the configuration; the message says why."""


class ToolFailed(HandsoffError):
    """A program ended with an error; the message has its last lines of output."""


class NotInvocable(HandsoffError):
    """Docker, AWS on this machine, the function or the event is missing; the message says what to do."""
