"""Takes recordings: of a program that is run for it, or from a server that is running."""
