package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// answers is a JSON list with one answer for each release that is wanted, in order.
func answers(req *request) []byte {
	j := &job{
		request: req, parsed: map[string]*parsed{}, bundles: map[*common.File][]*parsed{}, schemas: map[string]*schema{},
		templates: map[placed]*sited{},
	}
	unmet := resolved(req.Resolved)
	var out bytes.Buffer
	out.WriteByte('[')
	for i := range req.Releases {
		if i > 0 {
			out.WriteByte(',')
		}
		err := unmet
		if err == nil {
			allow()
			err = j.answer(&out, &req.Releases[i])
		}
		if err != nil {
			j.failure(&out, err)
		}
	}
	out.WriteByte(']')
	return out.Bytes()
}

// resolved checks dependencies that were found in the repository: each must have a version that is wanted.
func resolved(dependencies [][3]string) error {
	for _, each := range dependencies {
		name, wanted, version := each[0], each[1], each[2]
		if !chartutil.IsCompatibleRange(wanted, version) {
			return fmt.Errorf("can't get a valid version for dependency %s: %s is not %s", name, version, wanted)
		}
	}
	return nil
}

func (j *job) answer(out *bytes.Buffer, rel *release) error {
	if err := j.bounded(); err != nil {
		return err
	}
	if err := boundedValues(rel); err != nil {
		return err
	}
	caps, err := capabilities(rel)
	if err != nil {
		return err
	}
	defer func() { j.functions, j.values = nil, nil }()
	result, asked, w, err := j.first(rel, caps)
	if err != nil {
		return err
	}
	release, err := j.sort(result, j.Manifest)
	if err != nil {
		return err
	}
	out.WriteString(`{"values":`)
	out.Write(j.values)
	release.write(out, nil)
	if j.Texts {
		out.WriteString(`,"texts":`)
		put(out, result.files)
	}
	if j.Manifest {
		out.WriteString(`,"manifest":`)
		put(out, release.manifest)
	}
	w.base = release
	w.compare(out, asked)
	out.WriteByte('}')
	return nil
}

// write writes what a release is; what is in another one as well, which is written already, by its number there.
func (s *sorted) write(out *bytes.Buffer, before *sorted) {
	numbers, next, separator := map[document]int{}, 0, ""
	if before != nil {
		next = len(before.documents)
		for i, each := range before.documents {
			numbers[each] = i
		}
	}
	places := make([]int, len(s.documents))
	out.WriteString(`,"documents":[`)
	for i, each := range s.documents {
		if known, is := numbers[each]; is {
			places[i] = known
			continue
		}
		places[i] = next
		next++
		out.WriteString(separator + "[")
		separator = ","
		put(out, each.name)
		out.WriteByte(',')
		out.Write(each.content)
		out.WriteByte(']')
	}
	out.WriteString(`],"order":[`)
	for i, index := range s.order {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(strconv.Itoa(places[index]))
	}
	out.WriteByte(']')
}

func put(out *bytes.Buffer, value any) {
	text, err := json.Marshal(value)
	if err != nil { // a text or a map of texts always is JSON
		panic(err)
	}
	out.Write(text)
}

// repeated is what the reader of YAML repeats of a text that it refuses. That may be a secret: a password that begins
// with an asterisk, and has no quotes, is an alias.
var repeated = regexp.MustCompile("(?s)(yaml: (?:line [0-9]+: )?(?:unknown anchor|cannot decode !![a-z]+)) (?:'[^']*'|`.*`)( (?:referenced|as a !![a-z]+))")

// keyed is what it says of a key that is none, and of the value behind it: a password that begins with a brace is a map.
var keyed = regexp.MustCompile("(?s)(unsupported map key of type: [^,]*|invalid map key)[,:].*")

// failure is an answer that says why there is none, in Helm's words.
func (j *job) failure(out *bytes.Buffer, err error) {
	words := struct {
		Error     string   `json:"error"`
		Public    string   `json:"public,omitempty"`
		OfValues  bool     `json:"of_values,omitempty"`
		Missing   []string `json:"missing,omitempty"`
		Schema    string   `json:"schema,omitempty"`
		Reference string   `json:"reference,omitempty"`
		Beyond    *beyond  `json:"beyond,omitempty"`
	}{Error: err.Error()}
	var values ofValues
	var lacking missing
	var refers outside
	var broken malformed
	var excess beyond
	switch {
	case errors.As(err, &excess):
		words.Beyond = &excess
	case errors.As(err, &values):
		words.OfValues, words.Public = true, values.public
	case errors.As(err, &lacking):
		words.Missing = lacking.names
	case errors.As(err, &refers):
		words.Schema, words.Reference = j.where(refers.chart), refers.reference
	case errors.As(err, &broken):
		words.Schema = j.where(broken.chart)
	}
	withheld := keyed.ReplaceAllString(repeated.ReplaceAllString(words.Error, "$1$2"), "$1")
	if words.Public == "" && withheld != words.Error {
		words.Public = withheld
	}
	put(out, words)
}

// where is the schema of a chart, by the path that Helm gives the chart: a file, or one in a packed chart.
func (j *job) where(chart string) string {
	const name = "values.schema.json"
	_, folder, sub := strings.Cut(chart, "/")
	if !sub {
		return name
	}
	whole := path.Join(folder, name)
	packed := ""
	for _, f := range j.Files {
		if f.Path == whole {
			return whole
		}
		// A packed chart is called after its version as well.
		rest, is := strings.CutSuffix(f.Path, ".tgz")
		first, _, _ := strings.Cut(strings.TrimPrefix(folder, "charts/"), "/")
		if is && strings.HasPrefix(strings.TrimPrefix(rest, "charts/"), first) {
			packed = f.Path
		}
	}
	if packed != "" {
		return packed + ":" + whole
	}
	return name
}
