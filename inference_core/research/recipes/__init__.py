"""Recipes: the stages of a training, as short files that `mrsi-superres train --recipe` reads."""
