"""The only package that puts hints on Redis; everything in it can be recomputed."""
