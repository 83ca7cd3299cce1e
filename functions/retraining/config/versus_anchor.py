"""How a rule compares the candidate with the model's anchor."""

from typing import Self

from pydantic import model_validator

from retraining.config.fields import Confidence, Flag, Margin, Section


class VersusAnchor(Section):
    """How the candidate must compare with the anchor on the same validation rows.

    The anchor is the model's first approved package until a person moves it (`handsoff anchor`). Each
    champion may lose a little against the one before it; the anchor stays, so the losses cannot add up. As
    for `versus_champion`, the one-sided bound of the paired gain must be ≥ −max_loss.
    """

    max_loss: Margin
    """The candidate may be worse than the anchor by at most this much, in units of the metric."""

    relative: Flag = False
    """`max_loss` is a share of the anchor's absolute value, instead of units of the metric."""

    confidence: Confidence = 0.95
    """Confidence of the one-sided bound of the gain."""

    @model_validator(mode="after")
    def _is_a_share(self) -> Self:
        if self.relative and self.max_loss >= 1:
            raise ValueError(
                f"with relative: true, {self.max_loss:g} means {100 * self.max_loss:g} % of the anchor's "
                f"value; write {self.max_loss / 100:g} for {self.max_loss:g} %"
            )
        return self
