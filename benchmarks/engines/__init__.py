"""What runs on the device: the SDK with a Python, or ExecuTorch's executor_runner."""
