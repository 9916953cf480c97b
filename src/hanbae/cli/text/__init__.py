"""What people read: the catalogue's words, wrapped, escaped and laid out for a terminal, a table or a review."""
