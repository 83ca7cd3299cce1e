"""handsoff.yaml as frozen models, and how a file that does not validate is explained. Pure."""
