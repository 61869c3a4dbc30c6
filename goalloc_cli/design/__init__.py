"""Allocators as data: knobs, releases, size classes, memory limits."""
