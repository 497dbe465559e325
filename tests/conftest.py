"""Shared settings: property tests draw the same examples every time, and few, since they run on small machines."""

from hypothesis import settings

settings.register_profile("cropworth", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("cropworth")
