"""How the process is watched: logging, metrics, health."""
