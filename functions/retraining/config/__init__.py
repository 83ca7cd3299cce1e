"""handsoff.yaml as frozen models, and how a wrong file is explained. Pure."""
