"""Whether verdicts depend on how a device is judged; ``python -m tests.matrix`` prints it."""
