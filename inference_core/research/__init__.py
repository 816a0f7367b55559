"""What developers use: simulated patients, training, evaluation, calibration, reproduction, benchmarks."""
