"""Brings AWS up to date with the project, and takes a deployment down."""
