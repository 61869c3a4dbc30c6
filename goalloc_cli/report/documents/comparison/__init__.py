"""Documents of two sides of one or several replays each: what differs, and which change of the runtime did it."""
