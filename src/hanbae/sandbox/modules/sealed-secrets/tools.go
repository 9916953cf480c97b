//go:build tools

// Package tools keeps the programs that are built from this folder in go.mod and go.sum.
package tools

import (
	_ "github.com/bitnami/sealed-secrets/cmd/controller"
	_ "github.com/bitnami/sealed-secrets/cmd/kubeseal"
)
