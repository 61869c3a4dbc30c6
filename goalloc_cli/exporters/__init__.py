"""Traces written in other forms."""
