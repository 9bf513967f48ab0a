"""The domain, pure: no I/O, no clock, no chance, no await."""
