"""Networks of a user's own, a file each: ``--network mobile_export/examples/resnet18.py:build --weights FILE``."""
