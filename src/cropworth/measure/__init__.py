"""Room 4: any callable in, what it costs out."""
