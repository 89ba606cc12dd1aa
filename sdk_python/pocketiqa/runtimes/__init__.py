"""What runs a program: a class for each runtime, behind one interface."""
