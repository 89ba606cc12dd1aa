"""The training loop: losses, sampler, run folder, several processes."""
