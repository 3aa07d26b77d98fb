"""One job for each line of a file: reading lines, the results file, and the run."""
