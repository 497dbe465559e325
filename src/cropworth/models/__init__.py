"""Room 3: backbones by name."""
