"""A folder of photos as one HTML file: ``rows.py`` makes a photo's part of it, ``page.py`` puts the parts into
``page.html`` with ``page.css`` and ``page.js``."""
