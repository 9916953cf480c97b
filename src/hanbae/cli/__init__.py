"""The command line: the only place, with the server, where a Text becomes words."""
