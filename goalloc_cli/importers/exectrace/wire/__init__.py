"""The bytes of an execution trace: batches, tables, events."""
