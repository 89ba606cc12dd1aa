"""The parity ladder: every artifact executed and compared with the graph that it came from."""
