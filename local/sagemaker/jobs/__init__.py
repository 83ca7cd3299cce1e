"""Processing and Training jobs: their API, and how one runs as a process on this machine."""
