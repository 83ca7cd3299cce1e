"""SageMaker on this machine: pipelines whose jobs really run, a model registry, and the events of both.

front.py        AWS's protocol over ASGI: finds the operation, words the errors
protocol/       what all operations share: checked requests, pages, tokens, tags, moto for the rest
pipelines/      pipelines, their definitions and their executions
jobs/           Processing and Training jobs, each run as a process in a folder that stands for /opt/ml
registry.py     model package groups and model packages
permissions.py  which permissions each call needs
events.py       what EventBridge receives of all this
errors.py       errors as SageMaker's API names them
"""
