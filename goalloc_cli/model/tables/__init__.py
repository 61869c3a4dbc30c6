"""The heap's tables, their columns, bits and limits."""
