"""The bundle: its files, golden photos, model card and report."""
