"""The commands, one a file: parse, call, show. None of them exits."""
