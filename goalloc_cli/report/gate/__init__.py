"""Limits that a CI holds documents to: how they are written, and whether they hold."""
