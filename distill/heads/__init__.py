"""What is fitted to a frozen trunk: attributes, the score with its hidden units, the teacher's projection."""
