"""What is found in a trace."""
