"""Questions and their answers: ``RESULTS.md``. Nothing of the product imports anything from here."""
