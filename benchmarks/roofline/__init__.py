"""How near a program comes to what one core can do: multiplications and bytes by layer, against measured peaks."""
