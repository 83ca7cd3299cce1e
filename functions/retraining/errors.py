"""The project's own errors: a root, and its kinds."""


class HandsoffError(Exception):
    """The root of the project's errors. Its message is for people: what is wrong, where, and what to do."""


class ConfigError(HandsoffError):
    """A configuration is not valid: handsoff.yaml, a model's config in SSM, or a secret."""


class NotReady(HandsoffError):
    """Something that the call needs is missing or in use. The same call may succeed later."""


class Busy(NotReady):
    """Another invocation is doing the same work. It ends, or its claim does, within a minute or two."""


class OutOfTime(HandsoffError):
    """A piece of work has used up its time. What it has done so far is kept; the next sweep goes on."""


class EvaluationError(HandsoffError):
    """evaluation.json is missing, does not match the schema, or is of another model."""
