"""Tables of a user's own, CSV or parquet.

Cell by cell (`table_rows`), by columns where they are long (`columns`), or as numbers alone (`table`).
"""
