"""Reading what does not end, whoever sends it: lines out of bytes, pauses between attempts, the end of children."""
