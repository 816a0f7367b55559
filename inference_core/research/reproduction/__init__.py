"""The paper's table and figures, on simulated patients or on anybody's own: jobs that end in a report."""
