"""Data files (providers, product tokens, selectors, score rules) and their validated loader."""
