"""The page: one file, made from a document, that needs no network and no script to be read."""
