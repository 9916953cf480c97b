//go:build tools

// Package tools keeps the programs that are built from this folder in go.mod and go.sum.
package tools

import (
	_ "helm.sh/helm/v4/cmd/helm"
)
