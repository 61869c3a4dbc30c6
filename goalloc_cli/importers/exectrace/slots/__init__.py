"""Which span and slot every event is about."""
