"""A study's files: patients' folders, and readers of what scanners and fitting programs write."""
