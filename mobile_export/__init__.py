"""From a student to phone artifacts, each executed or interpreted before it ships."""
