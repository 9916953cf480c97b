"""What Argo CD is told, and how what it says is read. Nothing here does any input or output."""
