"""The wall between Lambda and SageMaker, and what stands on both sides of it.

`functions/` runs in Lambda, `pipeline_def/steps/` in SageMaker's scikit-learn image. Neither imports the
other: they have different packages and are deployed at different times. So some rules and formats are written
twice: what the text of a cell means, which objects are data, what identifies a batch, which package is the
champion, what a metric is called and which direction is better, and the fields of model.json and
evaluation.json.

Each test here asks both sides the same question and holds both answers to one table of literal samples. If a
test fails, one side was changed without the other.
"""

from __future__ import annotations

from tests.pipeline_def.conftest import aws, base_dir, one_thread, s3, sagemaker

__all__ = ["aws", "base_dir", "one_thread", "s3", "sagemaker"]
