"""Hostile input: what is tried on every reader, and how often.

`python -m fuzz --seconds 60` lets atheris look for inputs that end in anything but an answer or a TraceError. The tests try
the mutations of `mutations` on the same small files (`seeds`), through the same doors (`targets`).
"""
