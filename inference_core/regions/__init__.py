"""What is in a region: statistics and tables."""
