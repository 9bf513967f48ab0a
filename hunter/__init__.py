"""Hunter: Microsoft 365 and Dynamics 365 leads from what companies publish in DNS."""

__version__ = "0.1.0"
