"""The uncertainty of a super-resolved map, voxel by voxel, calibrated on simulated patients."""
