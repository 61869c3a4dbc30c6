"""A recording held against the model, address by address."""
