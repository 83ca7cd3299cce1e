"""No value of a row leaves a job's log, whichever library words the error; a signal is put into words."""

from __future__ import annotations

import pytest

from retraining.aws.job_words import tellable, with_cause, with_signal, without_values

LOG = """\
curated/m/train/p.csv: 600 rows, 12000 bytes, version v1
Traceback (most recent call last):
  File "/opt/ml/processing/input/code/preprocess.py", line 88, in preprocess
    rows = convert(block, "Mr. Kelly")
  File "<frozen runpy>", line 198, in _run_module_as_main
pyarrow.lib.ArrowInvalid: In CSV column #3: CSV conversion error to double: invalid value 'Mr. Kelly'
ValueError: could not convert string to float: 'Mr. Kelly'
DataProblem: train.csv, row 2: age is not a number
train.csv, row 2: age is not a number
train.csv, row 2: age is not a number: it is 'Mr. Kelly'
Mr. Kelly,male,29

numpy.linalg.LinAlgError: Mr. Kelly
KeyError: 'Mr. Kelly'
MemoryError
Killed
"""


def test_tellable_lines_are_places_types_and_the_reason() -> None:
    assert tellable(LOG.splitlines(), "ClientError: train.csv, row 2: age is not a number") == [
        "Traceback (most recent call last):",
        '  File "/opt/ml/processing/input/code/preprocess.py", line 88, in preprocess',
        '  File "<frozen runpy>", line 198, in _run_module_as_main',
        "pyarrow.lib.ArrowInvalid",
        "ValueError",
        "DataProblem",
        "train.csv, row 2: age is not a number",
        "numpy.linalg.LinAlgError",
        "KeyError",
        "MemoryError",
        "Killed",
    ]


def test_tellable_line_ends_before_what_the_step_found() -> None:
    lines = ["train.csv has no column survived (found: 'Kelly, Mr. James (found: 3)')", "(found: 'Kelly')"]
    reason = "ClientError: train.csv has no column survived, exit code: 1"
    assert tellable(lines, reason) == ["train.csv has no column survived"]


def test_tellable_lines_have_the_reason_of_own_code_whole() -> None:
    lines = ["ValueError: age 29", "handsoff: the script failed: ValueError: age 29", "handsoff: other words"]
    assert tellable(lines, None) == ["ValueError", "handsoff: the script failed: ValueError: age 29"]


@pytest.mark.parametrize(
    ("reason", "lines", "told"),
    [
        (
            "AlgorithmError: x",
            ["handsoff: the script failed: ValueError: a"],
            "ValueError: a. SageMaker says: A",
        ),
        (
            "AlgorithmError: ValueError: a",
            ["handsoff: the script failed: ValueError: a"],
            "AlgorithmError: V",
        ),
        ("AlgorithmError: x", ["ValueError"], "AlgorithmError: x"),
        ("AlgorithmError: x", [], "AlgorithmError: x"),
    ],
)
def test_cause_of_own_code_comes_first_where_only_the_log_tells_it(
    reason: str, lines: list[str], told: str
) -> None:
    assert str(with_cause(reason, lines)).startswith(told)
    assert with_cause(None, lines) is None


def test_tellable_lines_without_a_reason() -> None:
    assert tellable(["Mr. Kelly", "  ", "age", "OSError: Mr. Kelly"], None) == ["OSError"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ClientError: train.csv has no column survived", "ClientError: train.csv has no column survived"),
        (
            "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\n"
            'ErrorMessage "ValueError: could not convert string to float: Mr. "Jim" Kelly"\n'
            'Command "python3 train.py", exit code: 1',
            'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError"\n'
            'Command "python3 train.py", exit code: 1',
        ),
        (
            'ExecuteUserScriptError: ExitCode -9 ErrorMessage "" Command "python3 train.py"',
            'ExecuteUserScriptError: ExitCode -9 ErrorMessage "" Command "python3 train.py"',
        ),
        (
            'ExecuteUserScriptError: ErrorMessage "sklearn.exceptions.NotFittedError: Kelly\nand more Kelly"',
            'ExecuteUserScriptError: ErrorMessage "sklearn.exceptions.NotFittedError"',
        ),
        (
            'ErrorMessage "ValueError: x" Command "Mr. Kelly"\nCommand "python3 train.py", exit code: 1',
            'ErrorMessage "ValueError"\nCommand "python3 train.py", exit code: 1',
        ),
        ('ErrorMessage "ValueError: Mr. Kelly", aged 7', 'ErrorMessage "ValueError"'),
        ('ErrorMessage "ValueError: Mr. Kelly, mail ke', 'ErrorMessage "ValueError"'),
        (f'ErrorMessage "ValueError: x" Command "Mr. Kelly {"k" * 990}', 'ErrorMessage "ValueError"'),
    ],
)
def test_reason_of_a_training_job_has_no_message_of_the_script(reason: str, told: str) -> None:
    assert without_values(reason) == told


KILLED = (
    "the script was killed (signal 9): most often memory is exhausted, else the disk; choose a larger "
    "training.instance_type, or land fewer rows. SageMaker says: "
)
CRASHED = (
    "the script crashed (signal 11): a library failed, or memory is exhausted; choose a larger "
    "training.instance_type, or land fewer rows. SageMaker says: "
)
ENDED = (
    "the script was ended from outside (signal 15): start it again, or choose a larger "
    "training.instance_type, or land fewer rows. SageMaker says: "
)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            'AlgorithmError: ExecuteUserScriptError:\nExitCode -9\nErrorMessage ""\n'
            'Command "/miniconda3/bin/python train.py", exit code: 1',
            KILLED,
        ),
        ('ExecuteUserScriptError: ExitCode -9 ErrorMessage "" Command "python3 train.py"', KILLED),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode -9\nErrorMessage "', KILLED),
        (
            'AlgorithmError: ExecuteUserScriptError:\nExitCode 137\nErrorMessage ""\n'
            'ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"\n'
            'Command "/bin/sh -c ./train.sh", exit code: 1',
            KILLED,
        ),
        ('InstallRequirementsError:\nExitCode -9\nErrorMessage ""\nCommand "pip install"', KILLED),
        ("AlgorithmError: See job logs for more information, exit code: 137", KILLED),
        ("AlgorithmError: , exit code: 137", KILLED),
        ("AlgorithmError: Exit Code: 137", KILLED),
        ("AlgorithmError: Exit Code: 139", CRASHED),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode -11\nErrorMessage ""', CRASHED),
        ("AlgorithmError: See job logs for more information, exit code: 143", ENDED),
        ("AlgorithmError: See job logs for more information, exit code: 1", ""),
        ("AlgorithmError: See job logs for more information, exit code: 127", ""),
        ("AlgorithmError: See job logs for more information, exit code: 128", ""),
        ("AlgorithmError: See job logs for more information, exit code: 255", ""),
        ("AlgorithmError: the tool said exit code: 137 and went on, exit code: 1", ""),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "MemoryError"', ""),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode 9\nErrorMessage "ValueError"', ""),
        ('ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ChildError: ExitCode -9"', ""),
        ("ClientError: train.csv has no column survived", ""),
        ("CapacityError: Unable to provision requested ML compute capacity.", ""),
        ("", ""),
    ],
)
def test_reason_of_a_script_that_a_signal_ended_says_so_first(reason: str, words: str) -> None:
    assert with_signal(reason) == words + reason
