"""What the program does, one module per verb; the only place where adapters meet."""
