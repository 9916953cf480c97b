package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

var bom = []byte{0xEF, 0xBB, 0xBF}

// missing is what Helm says of dependencies that are not there; its parent brings them, and asks again.
type missing struct{ names []string }

func (m missing) Error() string {
	return "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to" +
		" fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: " +
		strings.Join(m.names, ", ")
}

// ofValues is a fault in a values file rather than in the chart, also in words that repeat nothing of the values; these
// are empty where the fault's own are such.
type ofValues struct {
	error
	public string
}

// job is one chart and the releases that are wanted of it.
type job struct {
	*request
	parsed    map[string]*parsed
	bundles   map[*common.File][]*parsed // the documents of a file of CRDs
	schemas   map[string]*schema
	checked   bool
	excess    error            // what of the chart's files is larger than it may be
	loaded    *chart.Chart     // as it was read
	functions template.FuncMap // in the place of Helm's own; nil for those
	placing   *chance          // notes where its functions are called; nil where that is not asked
	templates map[placed]*sited
	numbered  int
	adding    func(*chart.Chart) // adds files that templates see; nil for none
	values    []byte             // of the release, as JSON, before templates change them; nil until it is rendered
}

// made is what the templates of a release made.
type made struct {
	crds  []chart.CRD
	files map[string]string
}

// load reads the chart once. Each rendering gets a chart of its own: it takes away what values disable, and templates
// may change its defaults.
func (j *job) load() (*chart.Chart, error) {
	if j.loaded == nil {
		read, err := j.read()
		if err != nil {
			return nil, err
		}
		j.loaded = read
	}
	return copied(j.loaded), nil
}

// copied is a chart of which everything is new that rendering changes; files stay the same ones.
func copied(c *chart.Chart) *chart.Chart {
	fresh := *c
	metadata := *c.Metadata
	if c.Metadata.Dependencies != nil { // Helm looks into the subcharts of an empty list, and not of none
		metadata.Dependencies = make([]*chart.Dependency, len(c.Metadata.Dependencies))
	}
	for i, each := range c.Metadata.Dependencies {
		dependency := *each
		metadata.Dependencies[i] = &dependency
	}
	fresh.Metadata = &metadata
	if c.Values != nil {
		fresh.Values = copiedValue(c.Values).(map[string]any)
	}
	subcharts := []*chart.Chart{}
	for _, sub := range c.Dependencies() {
		subcharts = append(subcharts, copied(sub))
	}
	fresh.SetDependencies(subcharts...)
	return &fresh
}

func copiedValue(value any) any {
	switch each := value.(type) {
	case map[string]any:
		fresh := make(map[string]any, len(each))
		for key, below := range each {
			fresh[key] = copiedValue(below)
		}
		return fresh
	case []any:
		fresh := make([]any, len(each))
		for i, below := range each {
			fresh[i] = copiedValue(below)
		}
		return fresh
	default:
		return value
	}
}

func (j *job) read() (*chart.Chart, error) {
	files := make([]*archive.BufferedFile, len(j.Files))
	left := archive.MaxDecompressedChartSize
	for i, f := range j.Files {
		if left -= int64(f.Size); left < 0 {
			return nil, fmt.Errorf("error reading %s: chart exceeds maximum decompressed size of %d bytes",
				f.Path, archive.MaxDecompressedChartSize)
		}
		files[i] = &archive.BufferedFile{Name: f.Path, Data: bytes.TrimPrefix(j.content[i], bom)}
	}
	if err := detect(files); err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	order(c)
	return c, nil
}

// detect says what Helm says of a folder whose Chart.yaml is none of a kind that it installs.
func detect(files []*archive.BufferedFile) error {
	for _, f := range files {
		if f.Name == "Chart.yaml" {
			var base struct {
				APIVersion string `json:"apiVersion"`
			}
			if err := yaml.Unmarshal(f.Data, &base); err != nil {
				return fmt.Errorf("cannot load Chart.yaml: %w", err)
			}
			switch base.APIVersion {
			case chart.APIVersionV1, chart.APIVersionV2, "":
				return nil
			case "v3":
				return errors.New("invalid chart apiVersion")
			default:
				return errors.New("unsupported chart version")
			}
		}
	}
	return errors.New("Chart.yaml file is missing")
}

// order makes the order of subcharts, which Helm takes from a map, the same each time.
func order(c *chart.Chart) {
	subcharts := c.Dependencies()
	sort.SliceStable(subcharts, func(i, k int) bool { return subcharts[i].Name() < subcharts[k].Name() })
	c.SetDependencies(subcharts...)
	for _, sub := range subcharts {
		order(sub)
	}
}

func installable(c *chart.Chart) error {
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return fmt.Errorf("%s charts are not installable", kind)
	}
	have := map[string]bool{}
	for _, sub := range c.Dependencies() {
		have[sub.Name()] = true
	}
	var lacking []string
	for _, wanted := range c.Metadata.Dependencies {
		if !have[wanted.Name] {
			lacking = append(lacking, wanted.Name)
		}
	}
	if lacking != nil {
		return missing{lacking}
	}
	return nil
}

// given is the values files of a release over one another.
func given(texts [][]byte) (map[string]any, error) {
	values := map[string]any{}
	for _, text := range texts {
		current, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, ofValues{err, ""}
		}
		values = loader.MergeMaps(values, current)
	}
	return values, nil
}

// render does what `helm template` does up to the texts of the templates.
//
// seen is what templates get as .Capabilities, where that is not the capabilities themselves.
func (j *job) render(rel *release, caps *common.Capabilities, seen any) (*made, error) {
	values, err := given(rel.Values)
	if err != nil {
		return nil, err
	}
	c, err := j.load()
	if err != nil {
		return nil, err
	}
	if err := installable(c); err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	options := common.ReleaseOptions{Name: rel.Name, Namespace: rel.Namespace, Revision: 1, IsInstall: true}
	top, err := util.ToRenderValuesWithSchemaValidation(c, values, options, caps, true)
	if err != nil {
		return nil, err
	}
	merged, _ := top["Values"].(common.Values)
	if !rel.SkipSchema {
		if err := j.validate(c, merged); err != nil {
			return nil, err
		}
	}
	if wanted := c.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, caps.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
			wanted, caps.KubeVersion.Version)
	}
	if j.values == nil {
		if j.values, err = json.Marshal(merged); err != nil {
			return nil, err
		}
	}
	if seen != nil {
		top["Capabilities"] = seen
	}
	if j.adding != nil {
		j.adding(c)
	}
	if j.placing != nil {
		j.place(c, j.functions)
	}
	files, err := engine.Engine{CustomTemplateFuncs: j.functions}.RenderWithContext(context.Background(), c, top)
	if err != nil {
		return nil, err
	}
	result := &made{files: files}
	if !rel.SkipCRDs {
		result.crds = c.CRDObjects()
	}
	return result, nil
}

// capabilities are what Argo CD lets Helm say of itself and of the cluster.
func capabilities(rel *release) (*common.Capabilities, error) {
	caps := common.DefaultCapabilities.Copy()
	if rel.KubeVersion != "" {
		version, err := common.ParseKubeVersion(rel.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("invalid kube version '%s': %w", rel.KubeVersion, err)
		}
		caps.KubeVersion = *version
	}
	caps.APIVersions = append(append(common.VersionSet{}, caps.APIVersions...), rel.APIVersions...)
	argo.wear(caps)
	return caps, nil
}
