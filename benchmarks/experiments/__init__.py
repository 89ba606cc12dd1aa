"""What was measured with this room's commands: questions, answers and raw rows; see RESULTS.md."""
