package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// schema is a values.schema.json, compiled once for all releases: that takes longer than most templates.
type schema struct {
	compiled *jsonschema.Schema
	err      error
}

// outside is a schema that refers to a file or an address, which Helm would read.
type outside struct{ chart, reference string }

func (o outside) Error() string { return "the schema refers to " + o.reference }

// malformed is a schema that is not JSON.
type malformed struct {
	chart string
	error
}

// refusing loads nothing; what Helm has built in is not asked for here.
type refusing struct{ first *string }

func (r refusing) Load(url string) (any, error) {
	// Helm takes such a name for a schema that allows everything, and opens no connection.
	if strings.HasPrefix(url, "urn:") {
		return true, nil
	}
	if *r.first == "" {
		*r.first = url
	}
	return nil, fmt.Errorf("not loaded: %s", url)
}

func compile(name string, text []byte) (result *schema) {
	result = &schema{}
	defer func() {
		if r := recover(); r != nil {
			result.err = fmt.Errorf("unable to validate schema: %s", r)
		}
	}()
	content, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		result.err = malformed{name, err}
		return result
	}
	var reference string
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refusing{&reference})
	if result.err = compiler.AddResource("file:///values.schema.json", content); result.err == nil {
		result.compiled, result.err = compiler.Compile("file:///values.schema.json")
	}
	if result.err != nil && reference != "" {
		result.err = outside{name, reference}
	}
	return result
}

// validate says what Helm says of values that do not satisfy the schemas of a chart and its subcharts.
func (j *job) validate(c *chart.Chart, values common.Values) error {
	words, err := j.against(c, values)
	if err != nil {
		return err
	}
	if words != "" {
		return ofValues{fmt.Errorf(
			"values don't meet the specifications of the schema(s) in the following chart(s):\n%s", words)}
	}
	return nil
}

func (j *job) against(c *chart.Chart, values map[string]any) (string, error) {
	var words strings.Builder
	if c.Schema != nil {
		said, err := j.single(c, values)
		if err != nil {
			return "", err
		}
		if said != "" {
			fmt.Fprintf(&words, "%s:\n%s", c.Name(), said)
		}
	}
	for _, sub := range c.Dependencies() {
		raw, exists := values[sub.Name()]
		if !exists || raw == nil {
			continue
		}
		below, ok := raw.(map[string]any)
		if !ok {
			fmt.Fprintf(&words, "%s:\ninvalid type for values: expected object (map), got %T\n", sub.Name(), raw)
			continue
		}
		said, err := j.against(sub, below)
		if err != nil {
			return "", err
		}
		words.WriteString(said)
	}
	return words.String(), nil
}

func (j *job) single(c *chart.Chart, values map[string]any) (said string, err error) {
	key := string(c.Schema)
	if j.schemas[key] == nil {
		j.schemas[key] = compile(c.ChartFullPath(), c.Schema)
	}
	known := j.schemas[key]
	if known.err != nil {
		var refused outside
		var broken malformed
		if errors.As(known.err, &refused) || errors.As(known.err, &broken) {
			return "", known.err
		}
		return known.err.Error(), nil
	}
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprintf("unable to validate schema: %s", r)
		}
	}()
	if err := known.compiled.Validate(values); err != nil {
		return strings.TrimPrefix(err.Error(),
			"jsonschema validation failed with 'file:///values.schema.json#'\n") + "\n", nil
	}
	return "", nil
}
