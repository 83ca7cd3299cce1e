"""The commands: each parses its arguments, calls one thing and prints the answer."""
