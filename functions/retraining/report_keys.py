"""Keys of the reports of jobs, as evidence.json writes them: in camelCase."""

from __future__ import annotations

from typing import Any, Final

_REPORT_KEYS: Final = {
    "schema_version": "schemaVersion",
    "ignored_columns": "ignoredColumns",
    "blank_lines": "blankLines",
    "missing_share": "missingShare",
    "class_share": "classShare",
    "validation_rows_also_in_train": "validationRowsAlsoInTrain",
    "validation_rows_of_train_groups": "validationRowsOfTrainGroups",
    "train_n": "trainN",
    "train_share": "trainShare",
    "train_independent": "trainIndependent",
    "without_identity": "withoutIdentity",
    "without_group": "withoutGroup",
    "without_date": "withoutDate",
    "found_now": "foundNow",
    "proposed_from": "proposedFrom",
    "partition_columns": "partitionColumns",
    "ignored_count": "ignoredCount",
    "missing_words": "missingWords",
    "empty_columns": "emptyColumns",
    "repeated_rows": "repeatedRows",
    "left_out_rows": "leftOutRows",
    "unknown_categories": "unknownCategories",
}
"""Keys of the reports as evidence.json writes them. Every other key is one word, but for
`standard_deviation`, which evidence.json has in this spelling."""

_BY_NAME: Final = frozenset(
    {
        "missing_share",
        "class_share",
        "missing_words",
        "canonicalised",
        "ranges",
        "dates",
        "categories",
        "hyperparameters",
        "unknown_categories",
    }
)
"""Keys of the reports below which keys are names of columns, classes and hyperparameters."""


def camel_case(report: dict[str, Any]) -> dict[str, Any]:
    """A report with its keys in camelCase; names of columns, classes and hyperparameters stay as they are."""
    return {
        _REPORT_KEYS.get(key, key): value if key in _BY_NAME else _inside(value)
        for key, value in report.items()
    }


def _inside(value: object) -> object:
    if isinstance(value, dict):
        return camel_case(value)
    return [_inside(item) for item in value] if isinstance(value, list) else value
