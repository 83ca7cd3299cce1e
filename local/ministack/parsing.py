"""Lets ministack parse templates by libyaml. Python's own parser takes five times as long."""

from ministack.services.cloudformation import engine

from local.fast_yaml import FAST


def parse_by_libyaml() -> None:
    """Replace ministack's loader of templates by one that makes the same values. Call it before serving.

    Methods of ministack's loader are copied. None of them calls `super()`, which would fail in a copy.
    """
    engine.CfnLoader = type("CfnLoader", (FAST,), dict(vars(engine.CfnLoader)))
