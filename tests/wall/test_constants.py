"""Constants that stand on both sides of a wall, because neither side can import the other."""

from __future__ import annotations

import inference
import job
import score
from handsoff.offline import guesses
from handsoff.operating import predicting
from pipeline_def.own_code import handsoff_entry
from retraining.config import tasks


def test_metric_of_a_search_is_the_one_that_the_configuration_takes_by_default() -> None:
    assert job.DECISIVE == tasks.DECISIVE


def test_order_of_a_channels_columns_is_read_where_it_is_written() -> None:
    assert handsoff_entry.COLUMN_ORDER == job.COLUMN_ORDER == "_columns.json"


def test_init_takes_a_column_of_as_many_categories_as_the_steps_do() -> None:
    assert guesses.MAX_CATEGORIES == job.MAX_CATEGORIES == 254


def test_predict_chooses_the_class_that_an_endpoint_chooses() -> None:
    assert predicting.THRESHOLD == inference.THRESHOLD == 0.5


def test_reasons_of_jobs_are_cut_at_one_length() -> None:
    assert score.MESSAGE_LIMIT == job.MESSAGE_LIMIT == 1000
