"""What the rows above agree on: the client, outcomes, findings, capabilities, windows, events."""
