"""Which part of the time from a landing to a start passes outside of this project."""

from __future__ import annotations

from bench.landing_to_start import Request, Start, start_of


def asked(
    began: float, ended: float, operation: str = "", *, path: str = "/", of_function: bool = True
) -> Request:
    return Request(path, operation, of_function, began, ended)


LANDED = asked(9.0, 10.0, path="/data/curated/titanic/_SUCCESS", of_function=False)
STARTED = asked(16.0, 19.0, "StartPipelineExecution")


def test_start_of_counts_the_time_before_the_first_request_and_of_each() -> None:
    answered = [LANDED, asked(12.0, 13.0), asked(14.0, 14.5), STARTED]
    assert start_of(answered) == Start(seconds=6.0, outside=2.0 + 1.0 + 0.5)


def test_start_of_counts_requests_at_one_time_once() -> None:
    answered = [LANDED, asked(12.0, 13.0), asked(14.0, 15.0), asked(14.5, 15.5), asked(14.6, 14.9), STARTED]
    assert start_of(answered) == Start(seconds=6.0, outside=2.0 + 1.0 + 1.5)


def test_start_of_counts_no_request_that_a_client_or_an_earlier_invocation_made() -> None:
    client = asked(12.5, 15.5, "DescribePipelineExecution", of_function=False)
    earlier = asked(8.0, 9.5, "UpdateItem")
    later = asked(17.0, 18.0, "UpdateItem")
    answered = [earlier, LANDED, client, asked(12.0, 13.0), STARTED, later]
    assert start_of(answered) == Start(seconds=6.0, outside=2.0 + 1.0)
