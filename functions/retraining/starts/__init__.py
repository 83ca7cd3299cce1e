"""From a landing or a start request to an execution: admission, batch, inspection, quarantine."""
