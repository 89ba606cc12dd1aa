"""Alignment (A), opinions (B) and distillation (C), and the two commands that run them."""
