"""The house itself: its shape, its documents, its safety."""
