"""What works without AWS: a first configuration, and a rehearsal of an execution."""
