"""Room 2: files -> a `Task` with training, validation and test items."""
