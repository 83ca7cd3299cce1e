"""What approvers are told: messages (pure) and their publication."""
