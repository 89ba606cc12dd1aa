"""One file a command of ``python -m benchmarks``: its flags, and what it calls with them."""
