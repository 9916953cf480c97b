// Package common has Helm's capabilities in fields, as Helm does, for templates to which the methods of its namesake
// are not alike. What is read of a field is not noticed, so the versions of Helm and Kubernetes count as asked for.
package common

import (
	helm "helm.sh/helm/v4/pkg/chart/common"

	tracking "hanbae/renderer/common"
)

// Capabilities are Helm's own but for the API versions.
type Capabilities struct {
	KubeVersion helm.KubeVersion
	APIVersions any
	HelmVersion any
}

// Copy is one of Helm's own methods, so a template may call it.
func (c *Capabilities) Copy() *Capabilities {
	fresh := *c
	return &fresh
}

// VersionSet is a list, as Helm's own, that notes which API versions are asked for.
type VersionSet []string

// Has notes the question.
func (v VersionSet) Has(version string) bool { return tracking.VersionSet{}.Has(version) }

// Track begins to note which API versions are asked for.
//
// Those that listed API versions are a list of, and count as asked for as a whole: what is read of a list is not
// noticed. Others are answered for one by one, and what takes them for a list fails.
func Track(capabilities *helm.Capabilities, listed bool) (*Capabilities, *tracking.Asked) {
	_, asked := tracking.Track(capabilities)
	asked.Helm, asked.Kube, asked.Whole = true, true, listed
	seen := &Capabilities{capabilities.KubeVersion, tracking.VersionSet{}, capabilities.HelmVersion}
	if listed {
		seen.APIVersions = VersionSet(capabilities.APIVersions)
	}
	return seen, asked
}
