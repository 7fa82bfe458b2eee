"""Learning from footage (needs the extra `learn`): samples, networks, losses, training, export."""
