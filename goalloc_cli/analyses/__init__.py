"""What is done with a trace: replayed, described, examined, held against the truth, explained."""
