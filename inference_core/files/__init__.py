"""Files on disk, whatever they hold: written whole or not at all, never over an input, one process at a time."""
