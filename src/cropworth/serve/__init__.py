"""Room 9: a folder of studies as a small page on this machine, live while one runs. It reads, and never writes."""
