"""Room 6: records + economics -> an `Appraisal`. NumPy and SciPy only; never torch."""
