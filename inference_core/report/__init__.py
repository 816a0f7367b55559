"""A patient on one page: maps, ratios, uncertainties, regions and how all was made, as HTML and PDF."""
