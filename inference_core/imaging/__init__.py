"""Images on grids: geometry, reading and writing, brain masks, registration, what was measured of a map."""
