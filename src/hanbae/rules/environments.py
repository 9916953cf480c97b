"""What each environment is told: branch, sync mode, values file, namespace, image, against the policy."""
