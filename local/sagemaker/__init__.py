"""SageMaker on this machine: pipelines whose jobs really run, a model registry, the events of both.

front.py        AWS's protocol: dispatch, errors, what is not ours goes to moto
validation.py   requests against botocore's model of SageMaker, in AWS's words
parsing.py      pipeline definitions: read and checked; definition.py: what they come to (both pure)
pipelines.py    the API of pipelines and executions
execution.py    one execution: order, parallelism, retries, stopping
jobs.py         the API and the states of Processing and Training jobs
runner.py       one job as a process in a folder that plays /opt/ml; container.py says what lies in it
storage.py      S3 in and out of that folder      joblogs.py   its output to CloudWatch Logs
registry.py     model package groups and packages
events.py       what EventBridge hears of all this
"""
