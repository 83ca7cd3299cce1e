"""One logger and one set of metrics for all functions. Log texts are constant; facts are keys."""

import warnings

from aws_lambda_powertools import Logger, Metrics

logger = Logger(service="handsoff")
metrics = Metrics(namespace="handsoff", service="handsoff")

# An invocation in which nothing of business happened has no metric, and that is nothing to warn of.
warnings.filterwarnings("ignore", message="No application metrics to publish")
