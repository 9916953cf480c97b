"""How ``hanbae check`` works: projects, inspection of one service, workers, caches, acceptance."""
