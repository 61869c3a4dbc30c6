"""Every kind of recording that is read, a folder or a file for each."""
