"""What an operator does with a deployment: land, start, follow, decide, release from quarantine."""
