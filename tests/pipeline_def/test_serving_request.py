"""Bodies of requests that are hard to read: they are refused, and soon."""

from __future__ import annotations

import time

import pytest
from sklearn.pipeline import Pipeline

import serving_request


def model(quotes: str | None) -> serving_request.Model:
    pipeline = Pipeline([("none", "passthrough")])
    return serving_request.Model(pipeline, (), ("n",), ("c",), (), columns=("n", "c"), quotes=quotes)


@pytest.mark.parametrize("quotes", [None, "backslash"])
@pytest.mark.parametrize(
    "text",
    [
        '1,2,1,"' + '\\"' * 500_000,
        '1,"' + '\\"' * 500_000 + "x,a\n",
        '"\\",' * 250_000,
        ',"' * 500_000,
        '"' * 1_000_000,
        '"x' * 500_000,
        "\\" * 1_000_000,
        '"a\\\\",' * 100_000 + '"',
    ],
    ids=["one value", "a begin", "values", "begins", "quotes", "quotes within", "backslashes", "an open end"],
)
@pytest.mark.slow
def test_request_with_many_quotes_is_refused_in_a_second_of_processor_time(
    quotes: str | None, text: str
) -> None:
    """One of 32 KB took 32 seconds."""
    begin = time.process_time()
    with pytest.raises(serving_request.Refused):
        serving_request.read_lines(text, model(quotes))
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("quotes", [None, "backslash"])
def test_request_with_escaped_quotes_is_read_as_in_training(quotes: str | None) -> None:
    text = 'n,c\n1,"5\\" pipe, used"\n2,"C:\\\\x\\y\nz"\n3,5\\" pipe\n'
    found, header = serving_request.read_lines(text, model(quotes))
    assert header
    assert found["c"].tolist() == ['5" pipe, used', "C:\\x\\y\nz", '5\\" pipe']


@pytest.mark.parametrize("end", [",", ",,", ", ,"])
def test_request_whose_header_ends_in_commas_is_read_as_in_training(end: str) -> None:
    found, header = serving_request.read_lines(f"n,c{end}\n1,a{end}\n2,b{end}\n", model(None))
    assert header
    assert found.to_dict("list") == {"n": ["1", "2"], "c": ["a", "b"]}


def test_request_with_a_value_below_no_name_is_refused() -> None:
    with pytest.raises(serving_request.Refused) as refused:
        serving_request.read_lines("n,c,,\n1,a,,\n2,b,,secret\n", model(None))
    assert str(refused.value) == (
        "row 2: a value stands in a column that the header has no name for; name it"
    )


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        ("[" * 100_000, "application/json", "the body is nested too deep; expected a list of records"),
        ("[" * 100_000, "application/jsonlines", "the body is nested too deep; expected a list of records"),
        ('{"a":' * 100_000, "application/json", "the body is nested too deep; expected a list of records"),
        (b"{}", "application/json; charset=undefined", "the body cannot be read as undefined"),
        (b"1,a", "text/csv; charset=undefined", "the body cannot be read as undefined"),
        (b"1,a", 'text/csv; charset="\0"', "the body cannot be read as \0"),
        (b"1,a", "text/csv; charset=hex", "the body cannot be read as hex"),
    ],
)
def test_request_that_cannot_be_read_is_refused(body: str | bytes, content_type: str, says: str) -> None:
    with pytest.raises(serving_request.Refused) as refused:
        serving_request.read_body(body, content_type)
    assert (refused.value.status, str(refused.value).partition(";")[0]) == (400, says.partition(";")[0])
