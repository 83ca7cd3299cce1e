"""What the command line shows, as rich text: executions, evidence, verdicts, models."""
