"""Slack: messages, presses of their buttons, and the client."""
