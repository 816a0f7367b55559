"""Volumes, segments, results and overlays in the MRML scene."""
