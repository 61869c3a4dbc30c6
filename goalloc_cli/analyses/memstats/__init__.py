"""From MemStats to answers: where Sys goes, where RSS goes, what costs most, and what would help."""
