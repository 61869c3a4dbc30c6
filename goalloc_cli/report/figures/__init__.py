"""Single figures of documents, by name: what a gate watches, and what is laid side by side."""
