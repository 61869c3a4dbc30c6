"""What other settings of GOGC and GOMEMLIMIT would have done, as predicted and as real programs did."""
