"""AWS on this machine: one loopback endpoint. Nothing outside this package knows that it exists."""
