"""Blocks as text, CSV, Markdown or JSON."""
