module hanbae/sandbox/pause

go 1.25.0
