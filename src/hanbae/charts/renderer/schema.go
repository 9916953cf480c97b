package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

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
	compiler.UseRegexpEngine(pattern)
	if result.err = compiler.AddResource("file:///values.schema.json", content); result.err == nil {
		result.compiled, result.err = compiler.Compile("file:///values.schema.json")
	}
	var invalid *jsonschema.SchemaValidationError
	if result.err != nil && reference != "" {
		result.err = outside{name, reference}
	} else if errors.As(result.err, &invalid) {
		arrangeAll(invalid.Err)
	}
	return result
}

// patterns are those of schemas: many charts have the same ones, and each is asked for twice in a schema. They are none
// of a chart's own, for what a pattern matches depends on nothing but its text.
var patterns = map[string]*regexp.Regexp{}

// mostPatterns are remembered; what patterns there are, charts say. A short text may stand for a program of a megabyte
// (`\pL{1000}`), so what counts is how long the program is.
const (
	mostPatterns   = 1000
	longestProgram = 200
)

// pattern is a regular expression as the library would compile it, which says so of each fault itself.
func pattern(text string) (jsonschema.Regexp, error) {
	if known, is := patterns[text]; is {
		return known, nil
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	if len(patterns) < mostPatterns && isShort(text) {
		patterns[strings.Clone(text)] = compiled
	}
	return compiled, nil
}

// isShort says whether a pattern that is one takes little memory.
func isShort(text string) bool {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil || len(text) > longestProgram {
		return false
	}
	program, err := syntax.Compile(tree.Simplify())
	return err == nil && len(program.Inst) <= longestProgram
}

// refusal is what Helm says of values that do not satisfy a schema, and the same without what it repeats of them.
type refusal struct{ words, public strings.Builder }

func (r *refusal) add(words, public string) {
	r.words.WriteString(words)
	r.public.WriteString(public)
}

// validate says what Helm says of values that do not satisfy the schemas of a chart and its subcharts.
func (j *job) validate(c *chart.Chart, values common.Values) error {
	var said refusal
	if err := j.against(c, values, &said); err != nil {
		return err
	}
	if said.words.Len() > 0 {
		const of = "values don't meet the specifications of the schema(s) in the following chart(s):\n"
		return ofValues{errors.New(of + said.words.String()), of + said.public.String()}
	}
	return nil
}

func (j *job) against(c *chart.Chart, values map[string]any, said *refusal) error {
	if c.Schema != nil {
		words, public, err := j.single(c, values)
		if err != nil {
			return err
		}
		if words != "" {
			said.add(c.Name()+":\n"+words, c.Name()+":\n"+public)
		}
	}
	for _, sub := range c.Dependencies() {
		raw, exists := values[sub.Name()]
		if !exists || raw == nil {
			continue
		}
		below, ok := raw.(map[string]any)
		if !ok {
			words := fmt.Sprintf("%s:\ninvalid type for values: expected object (map), got %T\n", sub.Name(), raw)
			said.add(words, words)
			continue
		}
		if err := j.against(sub, below, said); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) single(c *chart.Chart, values map[string]any) (words, public string, err error) {
	key := string(c.Schema)
	if j.schemas[key] == nil {
		j.schemas[key] = compile(c.ChartFullPath(), c.Schema)
	}
	known := j.schemas[key]
	if known.err != nil {
		var refused outside
		var broken malformed
		if errors.As(known.err, &refused) || errors.As(known.err, &broken) {
			return "", "", known.err
		}
		return known.err.Error(), known.err.Error(), nil
	}
	defer func() {
		if r := recover(); r != nil {
			words, public = fmt.Sprintf("unable to validate schema: %s", r), "unable to validate schema"
		}
	}()
	if err := known.compiled.Validate(values); err != nil {
		arrangeAll(err)
		words = spoken(err)
		var invalid *jsonschema.ValidationError
		if errors.As(err, &invalid) {
			withhold(invalid)
		}
		return words, spoken(err), nil
	}
	return "", "", nil
}

func spoken(err error) string {
	return strings.TrimPrefix(err.Error(), "jsonschema validation failed with 'file:///values.schema.json#'\n") + "\n"
}

func arrangeAll(err error) {
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		arrange(invalid)
	}
}

// arrange puts what is said of values in one order: the library goes through maps, and a finding must be the same one
// each time, or neither a baseline nor a person knows it again.
func arrange(invalid *jsonschema.ValidationError) {
	if fault, ok := invalid.ErrorKind.(*kind.AdditionalProperties); ok {
		slices.Sort(fault.Properties)
	}
	for _, cause := range invalid.Causes {
		arrange(cause)
	}
	slices.SortStableFunc(invalid.Causes, func(first, second *jsonschema.ValidationError) int {
		order := cmp.Or(
			slices.Compare(first.InstanceLocation, second.InstanceLocation),
			cmp.Compare(first.SchemaURL, second.SchemaURL),
			slices.Compare(first.ErrorKind.KeywordPath(), second.ErrorKind.KeywordPath()),
		)
		if order == 0 { // rarely, and the words take long to make; what lies below is arranged already
			order = cmp.Compare(first.Error(), second.Error())
		}
		return order
	})
}

// withheld is a fault in words that do not repeat the value, which may be a secret.
type withheld struct {
	jsonschema.ErrorKind
	words string
}

func (w withheld) LocalizedString(*message.Printer) string { return w.words }

// withhold takes values out of what is said of them.
func withhold(invalid *jsonschema.ValidationError) {
	english := message.NewPrinter(language.English)
	switch fault := invalid.ErrorKind.(type) {
	case *kind.Format:
		invalid.ErrorKind = withheld{fault, "is not valid " + fault.Want}
	case *kind.Pattern:
		empty := kind.Pattern{Want: fault.Want}
		invalid.ErrorKind = withheld{fault, strings.TrimPrefix(empty.LocalizedString(english), "'' ")}
	case *kind.Minimum, *kind.Maximum, *kind.ExclusiveMinimum, *kind.ExclusiveMaximum, *kind.MultipleOf:
		words := fault.LocalizedString(english)
		name, _, _ := strings.Cut(words, "got ")
		invalid.ErrorKind = withheld{fault, name + words[strings.LastIndex(words, "want "):]}
	case *kind.ContentEncoding, *kind.ContentMediaType:
		words, _, _ := strings.Cut(fault.LocalizedString(english), ": ")
		invalid.ErrorKind = withheld{fault, words}
	}
	for _, cause := range invalid.Causes {
		withhold(cause)
	}
}
