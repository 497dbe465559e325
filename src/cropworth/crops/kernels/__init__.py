"""Implementations behind `cropworth.crops.sampling.sample`; `reference` is the definition."""
