"""One file a question about a photo's file: which format, which part of it is the picture, how much of it is there."""
