"""The commands, a file each: ``Config``, and ``run`` that takes it and returns the exit status."""
