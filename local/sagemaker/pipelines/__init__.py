"""Pipelines: their API, their definitions, and the executions that run their steps."""
