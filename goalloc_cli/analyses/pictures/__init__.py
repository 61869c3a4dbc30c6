"""What a replay takes along for pictures."""
