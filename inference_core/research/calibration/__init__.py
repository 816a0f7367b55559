"""Calibrating the uncertainty on simulated patients."""
