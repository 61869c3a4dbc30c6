"""The formats that are written, byte by byte."""
