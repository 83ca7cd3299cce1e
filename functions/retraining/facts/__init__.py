"""What the ledger holds, as frozen models, and under which keys. Pure: aws/ledger.py stores them."""
