"""How a set moves from one environment to the next: what was proven, the commit that carries it, the merge request."""
