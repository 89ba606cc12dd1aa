"""The student, its backbones and the registry of networks by name."""
