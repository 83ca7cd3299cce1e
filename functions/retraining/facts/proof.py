"""What the ledger knows of evidence records.

S3 holds the chain. These facts save looking for its end, and let `handsoff verify` see that records are gone.
"""

from retraining.facts.fact import Fact


class ChainFact(Fact):
    """The last record of a model's chain that is known: its number and the SHA-256 of its bytes.

    `version` is the number as sortable text, so that a writer that comes late puts no earlier one here.
    """

    sequence: int
    digest: str
    version: str | None = None
    final: bool = True


class RecordedFact(Fact):
    """The last record about an execution: its number, and the SHA-256 of that evidence.json.

    `version` is the number as sortable text, so that a writer that comes late puts no earlier one here.
    """

    sequence: int
    evidence: str
    version: str | None = None
    final: bool = True


class CopyFact(Fact):
    """An evidence.json that we wrote or were about to write: the SHA-256 of the one that it replaces.

    It tells a copy of ours that is not recorded yet from one that somebody else put there. It is written
    once, also where the same bytes are written again later.
    """

    replaces: str
    version: int = 0
