"""Questions about int8 and their answers; nothing imports this package."""
