"""What can go wrong here, as a tree.

HandsoffError
├── ConfigError        handsoff.yaml, or a model's config in SSM, is not what it must be
├── NotReady           what the call needs is not there yet; the same call later may succeed
└── EvaluationError    evaluation.json is missing or not what the schema says
"""


class HandsoffError(Exception):
    """The root. Its message is for people: it names the thing and the way out."""


class ConfigError(HandsoffError):
    pass


class NotReady(HandsoffError):
    pass


class EvaluationError(HandsoffError):
    pass
