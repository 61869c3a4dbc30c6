"""What goes wrong while a recording is taken."""


class RecordingError(OSError):
    """No recording came about. The message says what happened and what to do."""
