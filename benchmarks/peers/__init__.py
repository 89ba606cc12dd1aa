"""Our programs beside other runtimes and other networks, measured in turns on one machine."""
