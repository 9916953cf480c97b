"""Reading what does not end, whoever sends it, and children: lines out of bytes, pauses between attempts, their end."""
