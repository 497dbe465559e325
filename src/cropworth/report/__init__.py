"""Room 7: an `Appraisal` -> one self-contained HTML page, Markdown, a table for the terminal. Never torch."""
