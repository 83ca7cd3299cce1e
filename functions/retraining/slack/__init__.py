"""Slack: messages, requests with their signature, and the client."""
