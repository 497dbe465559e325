"""Room 1: the learnable crops. Knows nothing of data, studies or money."""
