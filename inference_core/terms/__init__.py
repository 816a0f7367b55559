"""What can be asked for: metabolites, ratios and what they are compared with, conditions, names."""
