"""html/pictures.py: sections, what fits, and the address of an image."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from retraining.html.pictures import Missing, Picture, Pictures, fitted, sections


def picture(name: str, svg: str = "<svg/>") -> Picture:
    return Picture(id=name, title=name, alt=name, svg=svg)


def test_address_of_an_image_has_no_sign_that_ends_an_attribute() -> None:
    svg = "".join(map(chr, range(0x20, 0x7F))) + "é\n\t\x00"
    src = str(picture("roc", svg).src)
    assert not {*src} & {'"', "<", ">", "&", "#", "\n", "\t", "\x00"}
    assert unquote(src.removeprefix("data:image/svg+xml,")) == svg


@pytest.mark.parametrize(
    ("svg", "height"),
    [
        ('<svg viewBox="0 0 360 214">', 214),
        ('<svg viewBox="0 0 100 50">', None),
        ("<svg>", None),
    ],
)
def test_height_of_a_picture_is_that_of_its_view_box(svg: str, height: int | None) -> None:
    assert picture("roc", svg).height == height


def test_sections_keep_the_order_in_which_they_are_read() -> None:
    names = ("missing", "drift:age", "invented", "roc", "metrics", "slices", "drift")
    found = sections(Pictures(pictures=tuple(map(picture, names)), missing=(Missing(id="scores", why="no"),)))
    assert [(section.title, [item.id for item in section.pictures]) for section in found] == [
        ("Candidate and champion", ["metrics"]),
        ("Where it is right and wrong", ["roc"]),
        ("Its scores", []),
        ("On parts of the rows, and by feature", ["slices"]),
        ("How the data changed", ["drift:age", "drift", "missing"]),
        ("More pictures", ["invented"]),
    ]
    assert found[2].missing[0].what == "the distribution of scores"


def test_pictures_that_do_not_fit_are_missing_the_last_first() -> None:
    found = Pictures(pictures=(picture("drift:age", "x" * 400), picture("roc", "x" * 400)))
    kept = fitted(found, 600, "too large")
    assert [item.id for item in kept.pictures] == ["roc"]
    assert kept.missing == (Missing(id="drift:age", why="too large"),)
