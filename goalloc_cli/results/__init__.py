"""What the analyses find and the reports tell."""
