"""Results as documents: plain data, the same for every format."""
