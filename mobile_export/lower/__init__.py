"""Graphs lowered to what each runtime reads."""
