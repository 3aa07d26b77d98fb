"""Order one job for each line of a file: the input lines, the results file and the run."""
