"""Jobs in: the arq worker, its supervisor, the dispatcher and the drain."""
