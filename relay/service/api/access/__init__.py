"""Access to the events: credentials, keys, and what a caller owns."""
