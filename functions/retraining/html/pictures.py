"""Pure: pictures as pages and reports show them. pictures.json is in the form of docs/reference/pictures.md.

A page shows each picture as an image, in which no script runs, so that a picture of anybody does no harm.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, ValidationError

from retraining.errors import HandsoffError

_SAFE: Final = " !$'()*+,-./:;=?@[]^_`{|}~"
"""Signs that stand unencoded in the address of an image, inside the quotes of an attribute."""

_VIEW_BOX: Final = re.compile(r'\bviewBox="0 0 360 (\d{1,4})"')
"""The attribute that says a picture's height for the width of 360 units."""

_SECTIONS: Final = (
    ("Candidate and champion", ("metrics", "difference")),
    (
        "Where it is right and wrong",
        ("roc", "precision_recall", "confusion", "residuals", "predicted_actual"),
    ),
    ("Its scores", ("calibration", "scores")),
    ("On parts of the rows, and by feature", ("slices", "importance")),
    ("How the data changed", ("drift", "missing")),
)
"""The sections of pictures and the ids in each, in the order in which they are read."""

_OTHERS: Final = "More pictures"
"""The section of pictures whose ids no section names."""

_WHAT: Final = {
    "metrics": "metrics", "difference": "the difference to the champion", "roc": "the ROC curve",
    "precision_recall": "the precision-recall curve", "confusion": "the confusion matrix",
    "residuals": "residuals", "predicted_actual": "predicted against actual values",
    "calibration": "calibration", "scores": "the distribution of scores", "slices": "slices",
    "importance": "permutation importance", "drift": "drift", "missing": "missing values",
}  # fmt: skip
"""What a picture shows, by its id, for a sentence about why it is not there."""


class _Frozen(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)


class Table(_Frozen):
    """The numbers behind a picture, as texts that can be shown. The first cell of a row names it."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class Picture(_Frozen):
    """One picture: `title` says what to see, `alt` the numbers in words, `svg` is a document of its own."""

    id: str
    title: str
    alt: str
    svg: str
    table: Table = Table.model_construct()
    note: str | None = None

    @cached_property
    def src(self) -> Markup:
        """The picture as the address of an image. Percent-encoding is shorter than base64 for SVG.

        No sign is left in it that could end an attribute in double quotes, so it is not escaped again.
        """
        encoded = quote(self.svg, safe=_SAFE)
        return Markup("data:image/svg+xml," + encoded)  # nosec B704 # noqa: S704 - percent-encoded

    @property
    def height(self) -> int | None:
        """The height for a width of 360 units; None where the picture does not say it as ours do."""
        found = _VIEW_BOX.search(self.svg)
        return int(found[1]) if found else None


class Missing(_Frozen):
    """A picture that was not drawn, and why."""

    id: str
    why: str

    @property
    def what(self) -> str:
        """What it would have shown."""
        kind, _, of = self.id.partition(":")
        return _WHAT.get(kind, kind) + (f" of {of}" if of else "")


class Pictures(_Frozen):
    """All pictures of an evaluation, and those that were not drawn."""

    pictures: tuple[Picture, ...] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Section:
    """Pictures about one question. `id` is unique among sections and names no section of another kind."""

    id: str
    title: str
    pictures: tuple[Picture, ...]
    missing: tuple[Missing, ...]


def parse_pictures(text: str | bytes, *, source: str) -> Pictures:
    """The pictures of a pictures.json. Raises HandsoffError for one that has another form."""
    try:
        return Pictures.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise HandsoffError(f"{source}: {where}: {first['msg']}") from None


def sections(found: Pictures) -> tuple[Section, ...]:
    """The pictures by section, without sections of which nothing is known."""
    known = [name for _, names in _SECTIONS for name in names]
    pictures = sorted(found.pictures, key=lambda picture: _place(picture.id, known))
    missing = sorted(found.missing, key=lambda item: _place(item.id, known))
    named = [
        _section(number, title, names, pictures, missing) for number, (title, names) in enumerate(_SECTIONS)
    ]
    kinds = {_kind(picture.id) for picture in pictures} | {_kind(item.id) for item in missing}
    rest = sorted(kinds - {*known})
    others = _section(len(_SECTIONS), _OTHERS, rest, pictures, missing)
    return tuple(item for item in (*named, others) if item.pictures or item.missing)


def fitted(found: Pictures, room: int, why: str) -> Pictures:
    """The pictures that fit into `room` bytes, in the order of the sections. `why` others are missing."""
    kept: list[Picture] = []
    left: list[Picture] = []
    for section in sections(found):
        for picture in section.pictures:
            room -= len(picture.src) + len(picture.alt) + 30 * sum(map(len, picture.table.rows))
            (kept if room >= 0 else left).append(picture)
    return Pictures(
        pictures=tuple(kept),
        missing=(*found.missing, *(Missing(id=picture.id, why=why) for picture in left)),
    )


def _section(
    number: int, title: str, names: Iterable[str], pictures: Sequence[Picture], missing: Sequence[Missing]
) -> Section:
    ids = {*names}
    return Section(
        id=f"pictures-{number}",
        title=title,
        pictures=tuple(item for item in pictures if _kind(item.id) in ids),
        missing=tuple(item for item in missing if _kind(item.id) in ids),
    )


def _kind(name: str) -> str:
    """The part of an id before the colon: `drift` of `drift:age`."""
    return name.partition(":")[0]


def _place(name: str, known: Sequence[str]) -> int:
    kind = _kind(name)
    return known.index(kind) if kind in known else len(known)
