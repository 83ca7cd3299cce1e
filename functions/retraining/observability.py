"""One logger and one set of metrics for all functions. Log texts are constant; facts are keys."""

from aws_lambda_powertools import Logger, Metrics

logger = Logger(service="handsoff")
metrics = Metrics(namespace="handsoff", service="handsoff")
