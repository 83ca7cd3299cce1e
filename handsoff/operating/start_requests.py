"""Asks a deployment to start an execution, as a person."""

from __future__ import annotations

import json
import uuid

from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed
from handsoff.operating.executions import require_pipeline


def request_start(deployment: Deployment, model: str) -> str:
    """Send a start request for the model's newest batch. Returns the request's cause.

    Raises NotDeployed where the model has no pipeline or no configuration in SSM.
    """
    require_pipeline(deployment, model)
    if deployment.collaborators.configs.get(model, fresh=True) is None:
        raise NotDeployed(
            f"SSM has no parameter /{deployment.prefix}/models/{model}: `handsoff publish` writes it"
        )
    cause = f"request-{uuid.uuid4()}"
    detail = {"model": model, "cause": cause, "trigger": "request", "requestedBy": deployment.caller}
    deployment.sqs.send_message(
        QueueUrl=deployment.outputs["LandingsQueue"],
        MessageBody=json.dumps({"source": "handsoff", "detail": detail}),
    )
    return cause
