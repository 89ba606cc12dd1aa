"""From the float student to int8: post-training quantization, quantization-aware fine-tuning, their control."""
