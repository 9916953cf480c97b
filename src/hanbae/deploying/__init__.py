"""How one deployment is driven: prepared, claimed, begun, followed, proven, recorded, resumed or stopped."""
