"""The teacher: two towers, the prompts it is asked, and its answers as targets."""
