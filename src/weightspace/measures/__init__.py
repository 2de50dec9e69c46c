"""What is measured of networks, data and runs, beside spectra: calibration, diversity, curvature, statistics."""
