"""Questions about the student's design and their answers; nothing imports this package."""
