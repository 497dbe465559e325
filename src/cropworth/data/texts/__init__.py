"""Texts. All readers end in `text`; `documents` reads a user's own."""
