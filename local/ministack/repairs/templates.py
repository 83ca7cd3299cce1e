"""Repairs of CloudFormation."""

import functools
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import changesets, engine, handlers, stacks

from local.types import Json


def conditions_know_the_region() -> None:
    """Pseudo parameters in the conditions of a template.

    AWS: `!Ref AWS::Region` and the others have their values there, too.
    ministack: compares with the name of the pseudo parameter.
    """
    original = engine._evaluate_conditions

    @functools.wraps(original)
    def evaluate(template: Json, params: Json) -> Any:
        known = {
            "AWS::Region": get_region(),
            "AWS::AccountId": get_account_id(),
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        return original(template, {**{name: {"Value": value} for name, value in known.items()}, **params})

    for module in (engine, changesets, handlers, stacks):
        module._evaluate_conditions = evaluate
