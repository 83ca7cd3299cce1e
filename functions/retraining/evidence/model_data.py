"""The form of `data` in evidence.json, as frozen models: the batch, its files, and the data report.

The data report's own keys are those of pipeline_def/steps/data_report.py, in camelCase. Step code of another
version may write more of them.
"""

from pydantic import JsonValue

from retraining.evidence.part import Count, Number, OpenPart, Sha256, Uri


class DataFile(OpenPart):
    """One version of one file of the batch.

    `checksum` is S3's own, with its algorithm; null if S3 has none, and "" if it was asked and has none.
    `sha256` and `rows` are of the bytes that DataPreProcessing read; null where it did not get that far.
    """

    key: str
    version_id: str
    etag: str
    size: Count
    checksum: str | None
    sha256: Sha256 | None
    rows: Count | None


class Ignored(OpenPart):
    """An object that is no data, and why."""

    key: str
    reason: str


class SplitReport(OpenPart):
    """What the data report says of the rows of one split."""

    rows: Count | None = None
    missing_share: dict[str, Number | None] | None = None
    class_share: dict[str, Number | None] | None = None


class Data(OpenPart):
    """The batch. `files` are at most MAX_FILES of `file_count`; the manifest names all of them."""

    batch: str | None
    manifest: Uri | None
    manifest_version_id: str | None
    manifest_sha256: Sha256 | None
    file_count: Count | None
    files: tuple[DataFile, ...]
    report: Uri | None
    report_version_id: str | None
    report_sha256: Sha256 | None
    schema_version: Count | None = None
    target: str | None = None
    execution: str | None = None
    ignored_columns: tuple[str, ...] = ()
    partition_columns: tuple[str, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    ignored_count: Count = 0
    splits: dict[str, SplitReport] | None = None
    unknown_categories: dict[str, JsonValue] | None = None
    validation_rows_also_in_train: Count | None = None
    validation_rows_of_train_groups: Count | None = None
    lookalikes: dict[str, JsonValue] | None = None
