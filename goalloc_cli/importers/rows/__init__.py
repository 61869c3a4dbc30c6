"""Rows from any script: JSON Lines, CSV, msgpack."""
