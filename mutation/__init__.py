"""How many small mistakes in the kernels the tests notice: python -m mutation."""
