"""Python scripts that are forked from a process that has imported their packages already."""
