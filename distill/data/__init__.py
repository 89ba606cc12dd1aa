"""Photos: scored ones, pristine ones with their severity ladders, and how training reads them."""
