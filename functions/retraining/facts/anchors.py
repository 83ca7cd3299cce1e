"""What the ledger knows of a model's anchor, and of the looks at its validation rows."""

from typing import Any, Final, Literal

from pydantic import Field

from retraining.facts.fact import Fact, Moment

SetBy = Literal["first", "operator"]
"""How a package became the anchor: as the first approved one, or by a person at the command line."""

MAX_EARLIER: Final = 10
"""Earlier anchors that are kept beside the one that stands: the first, and the last of the others."""

MAX_RECENT: Final = 50
"""Packages whose looks are kept beside the count. The verdict of each package keeps its look for good."""


class EarlierAnchor(Fact):
    """An anchor that another one has replaced.

    `package` is an ARN, `by` one of SetBy, `who` an IAM ARN, `at` when it was set, `why` the person's reason.
    """

    package: str
    by: str
    at: Moment
    who: str | None = None
    why: str = ""


class AnchorFact(EarlierAnchor):
    """The anchor of a model. `earlier` are those before it, the newest last."""

    earlier: tuple[EarlierAnchor, ...] = ()

    def as_evidence(self) -> dict[str, Any]:
        """The anchor as evidence.json and the command line show it: JSON values, camelCase keys."""
        return {**_shown(self), "earlier": [_shown(item) for item in self.earlier]}

    def moved(self, to: EarlierAnchor) -> "AnchorFact":
        """The fact once a person has moved the anchor to `to`."""
        before = EarlierAnchor(package=self.package, by=self.by, at=self.at, who=self.who, why=self.why)
        earlier = (*self.earlier, before)
        kept = earlier if len(earlier) <= MAX_EARLIER else (earlier[0], *earlier[1 - MAX_EARLIER :])
        return AnchorFact(**to.model_dump(), earlier=kept)


def _shown(fact: EarlierAnchor) -> dict[str, str | None]:
    return {
        "modelPackageArn": fact.package,
        "setBy": fact.by,
        "setWho": fact.who,
        "setAt": fact.at.isoformat(),
        "setWhy": fact.why or None,
    }


class LooksFact(Fact):
    """The candidates of a model in which a rule looked for a gain on the same validation rows.

    `count` is their number; `recent` has the number of the newest of them, by the package's ARN. A writer
    replaces the fact only at the `version` that it read.
    """

    count: int = 0
    recent: dict[str, int] = Field(default_factory=dict)
    version: int = 0

    def counted(self, package: str) -> tuple[int, dict[str, int]]:
        """The look of one more package, and `recent` with it."""
        look = self.count + 1
        recent = dict([*self.recent.items(), (package, look)][-MAX_RECENT:])
        return look, recent
