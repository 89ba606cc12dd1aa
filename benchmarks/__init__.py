"""How fast the artifact is on a device, and whether it still scores as it should there."""
