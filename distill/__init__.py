"""Teacher, distillation, MOS data sets and the float student."""
