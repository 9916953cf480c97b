// Package common stands in for Helm's package of the same name where a template asks what it runs on.
//
// A template sees a *common.Capabilities in both cases; this one notes what it was asked. Its methods are called as
// Helm's fields are read, so what a template reads of it is what Helm would say, and whatever else is done with it (it
// is printed, or made YAML of) counts as having been asked for everything.
package common

import (
	"encoding/json"
	"fmt"

	helm "helm.sh/helm/v4/pkg/chart/common"
)

// Asked is what the templates of a release have asked for.
type Asked struct {
	Helm   bool            // something about Helm: its version, commit or Go version
	Kube   bool            // the version of Kubernetes
	APIs   map[string]bool // single API versions
	Whole  bool            // all API versions as a list
	List   bool            // the list of API versions, for whatever
	Unlike bool            // something to which these capabilities are not like Helm's: what follows may be other questions
}

// Anything says whether there was a question at all.
func (a *Asked) Anything() bool { return a.Helm || a.Kube || a.Whole || a.List }

// One release is rendered at a time, and templates may copy what they are given; so this is not in the objects.
var (
	answers *helm.Capabilities
	asked   *Asked
)

// Track begins to note questions that these capabilities answer.
func Track(capabilities *helm.Capabilities) (*Capabilities, *Asked) {
	answers, asked = capabilities, &Asked{APIs: map[string]bool{}}
	return &Capabilities{}, asked
}

// Capabilities has a method for each of Helm's fields.
type Capabilities struct{}

func everything() *helm.Capabilities {
	asked.Helm, asked.Kube, asked.Whole = true, true, true
	return answers
}

func (c Capabilities) KubeVersion() KubeVersion {
	asked.Kube = true
	kube := answers.KubeVersion
	return KubeVersion{kube.Version, kube.String(), kube.Major, kube.Minor}
}

func (c Capabilities) HelmVersion() any {
	asked.Helm = true
	return answers.HelmVersion
}

func (c Capabilities) APIVersions() VersionSet {
	asked.List = true
	return VersionSet{}
}

// Copy is one of Helm's own methods, so a template may call it.
func (c Capabilities) Copy() *Capabilities { return &Capabilities{} }

func (c Capabilities) MarshalJSON() ([]byte, error) { return json.Marshal(everything()) }

func (c Capabilities) MarshalTOML() ([]byte, error) { everything(); return unlike("{}") }

func (c Capabilities) MarshalYAML() (any, error) { return everything(), nil }

func (c Capabilities) Format(state fmt.State, verb rune) {
	fmt.Fprintf(state, fmt.FormatString(state, verb), everything())
}

func unlike(text string) ([]byte, error) {
	asked.Unlike = true
	return []byte(text), nil
}

// KubeVersion has a method for each of Helm's fields, and the one of Helm's methods that charts use. Templates can call
// Helm's String as well where they print it, but not where a function does.
type KubeVersion struct{ version, normalized, major, minor string }

func (k KubeVersion) Version() string    { return k.version }
func (k KubeVersion) GitVersion() string { return k.version }
func (k KubeVersion) Major() string      { return k.major }
func (k KubeVersion) Minor() string      { return k.minor }

func (k KubeVersion) MarshalJSON() ([]byte, error) { return json.Marshal(answers.KubeVersion) }

func (k KubeVersion) MarshalTOML() ([]byte, error) { return unlike("{}") }

func (k KubeVersion) MarshalYAML() (any, error) { return answers.KubeVersion, nil }

func (k KubeVersion) Format(state fmt.State, verb rune) {
	asked.Unlike = true
	fmt.Fprintf(state, fmt.FormatString(state, verb), answers.KubeVersion)
}

// VersionSet answers for single versions; what takes it for a list notes that the list was asked for, or fails.
type VersionSet struct{}

func (v VersionSet) Has(version string) bool {
	asked.APIs[version] = true
	return answers.APIVersions.Has(version)
}

// Show notes that it is made a text of, as a list.
func (v VersionSet) Show() helm.VersionSet {
	asked.Unlike = true
	return everything().APIVersions
}

func (v VersionSet) MarshalJSON() ([]byte, error) { return json.Marshal(everything().APIVersions) }

func (v VersionSet) MarshalTOML() ([]byte, error) { everything(); return unlike("[]") }

func (v VersionSet) MarshalYAML() (any, error) { return everything().APIVersions, nil }

func (v VersionSet) Format(state fmt.State, verb rune) {
	fmt.Fprintf(state, fmt.FormatString(state, verb), v.Show())
}
