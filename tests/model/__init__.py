"""The model against Go's rules, the twin and itself."""
