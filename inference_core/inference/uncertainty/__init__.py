"""How sure a super-resolved map is, voxel by voxel, calibrated on simulated patients."""
