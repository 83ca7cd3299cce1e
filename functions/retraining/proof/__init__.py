"""The proof of an execution's evidence: signed records, each with the digest of the one before it.

`statement` and `envelope` say what a record is, `chain` checks records against each other, `champions` reads
history from them, and `recording` appends one.
"""

from retraining.proof.recording import Replaced, record, recorded

__all__ = ["Replaced", "record", "recorded"]
