"""Whether a photo's score depends on how its file is encoded."""
