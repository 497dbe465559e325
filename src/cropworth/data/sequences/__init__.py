"""Series. All readers end in `sequence_task`; `series` reads a user's own, the others what packages ship."""
