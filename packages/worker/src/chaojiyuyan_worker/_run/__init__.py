"""The parts of one run of a worker, from the first poll to the last submit."""
