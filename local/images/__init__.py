"""SageMaker's images on this machine: what each holds, as environments of Python that jobs run in."""
