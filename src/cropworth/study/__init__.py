"""Room 5: a plan -> trials -> records on disk.

`plan`, `record` and `ledger` are free of torch, so that an appraisal needs none.
"""
