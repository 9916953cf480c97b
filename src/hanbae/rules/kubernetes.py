"""What the API server of the target version would say, and what a cluster's operators would."""
