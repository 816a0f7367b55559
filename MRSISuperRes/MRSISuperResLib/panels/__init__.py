"""What the user sees in the module."""
