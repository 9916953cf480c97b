package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"
	"unicode"

	"sigs.k8s.io/yaml"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	util "helm.sh/helm/v4/pkg/release/v1/util"
)

// parsed is a document as JSON, with what Helm reads of it.
type parsed struct {
	content []byte
	head    util.SimpleHead
	err     error
	title   string // the kind and name of what it is, once they were asked for
}

// document is one of a release's, by the file of the chart that it comes from. The same text is the same document.
type document struct {
	name string
	*parsed
}

// sorted is a release split, sorted and written down as `helm template` does.
type sorted struct {
	documents []document
	order     []int
	manifest  string
}

type entry struct {
	name, text, kind string
	index            int // of its document; -1 where that is empty
}

var (
	positions = func() map[string]int {
		found := map[string]int{}
		for i, kind := range util.InstallOrder {
			found[kind] = i
		}
		return found
	}()
	hooks = map[string]bool{
		"pre-install": true, "post-install": true, "pre-delete": true, "post-delete": true, "pre-upgrade": true,
		"post-upgrade": true, "pre-rollback": true, "post-rollback": true, "test": true, "test-success": true,
	}
)

const hookAnnotation = "helm.sh/hook"

// sort makes a release of what its templates made.
//
// printed says whether what `helm template` prints is wanted as well.
func (j *job) sort(m *made, printed bool) (*sorted, error) {
	result := &sorted{}
	last := -1 // the document at the end of the last file of CRDs
	for _, crd := range m.crds {
		if j.Printed {
			break // what helm prints of them is their files
		}
		for _, found := range j.pack(crd.File) {
			if found.err != nil {
				return nil, of(crd.Filename, found.err)
			}
			if last = result.keep(crd.Filename, found); last >= 0 {
				result.order = append(result.order, last)
			}
		}
	}
	manifests, hooked, err := j.split(m.files, result)
	if err != nil {
		return nil, err
	}
	if last >= 0 && len(manifests) == 0 {
		j.cut(&result.documents[last], m.crds[len(m.crds)-1].File)
	}
	for _, each := range append(manifests, hooked...) {
		if each.index >= 0 {
			result.order = append(result.order, each.index)
		}
	}
	if printed {
		result.manifest = printout(m.crds, manifests, hooked)
	}
	return result, nil
}

// pack are the documents of a file of CRDs. Helm prints the file as it is; whoever reads it splits it.
func (j *job) pack(file *common.File) []*parsed {
	known, is := j.bundles[file]
	if !is {
		for _, part := range parts(string(file.Data) + "\n") {
			known = append(known, j.parse(part))
		}
		j.bundles[file] = known
	}
	return known
}

// cut takes the empty lines at the end of a file of CRDs from its last document: Helm prints none before the hooks.
func (j *job) cut(end *document, file *common.File) {
	texts := parts(string(file.Data))
	if text := texts[len(texts)-1]; keeping.MatchString(text) {
		end.parsed = j.parse(strings.TrimRightFunc(text, unicode.IsSpace) + "\n")
	}
}

// parts are what is between the lines that begin with three dashes.
func parts(text string) []string {
	var result []string
	begin, at := 0, 0
	for {
		if strings.HasPrefix(text[at:], "---") {
			result = append(result, text[begin:at])
			end := strings.IndexByte(text[at:], '\n')
			if end < 0 {
				return append(result, "")
			}
			begin, at = at+end, at+end
		}
		next := strings.Index(text[at:], "\n---")
		if next < 0 {
			return append(result, text[begin:])
		}
		at += next + 1
	}
}

func printout(crds []chart.CRD, manifests, hooked []entry) string {
	var out, last strings.Builder
	for _, crd := range crds {
		write(&out, crd.Filename, string(crd.File.Data))
	}
	for _, each := range manifests {
		write(&out, each.name, each.text)
	}
	last.WriteString(strings.TrimSpace(out.String()))
	last.WriteByte('\n')
	for _, each := range hooked {
		write(&last, each.name, each.text)
	}
	return last.String()
}

func (j *job) split(files map[string]string, into *sorted) (manifests, hooked []entry, err error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") || strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		for _, text := range documents(files[name]) {
			found := j.parse(text + "\n")
			if found.err != nil {
				return nil, nil, of(name, found.err)
			}
			each := entry{name, text, found.head.Kind, into.keep(name, found)}
			switch events, is := hook(&found.head); {
			case !is:
				manifests = append(manifests, each)
			case known(events):
				hooked = append(hooked, each)
			}
		}
	}
	byKind(manifests)
	byKind(hooked)
	if last := len(manifests) - 1; last >= 0 && keeps(manifests[last]) {
		into.documents[manifests[last].index].parsed = j.parse(strings.TrimSpace(manifests[last].text) + "\n")
	}
	return manifests, hooked, nil
}

// keeps says whether a text of a document may keep the empty lines behind it, of which Helm prints none before the hooks.
func keeps(each entry) bool {
	return each.index >= 0 && strings.ContainsAny(each.text, "|>") && keeping.MatchString(each.text)
}

var keeping = regexp.MustCompile(`[|>][1-9]?\+`)

// documents are those of a file, in their order: what is between the lines that begin with three dashes, whatever stands
// behind these. That is how Helm's SplitManifests has it, whose regular expression takes longer than the parsing.
func documents(text string) []string {
	var result []string
	keep := func(part string) {
		if part = strings.TrimLeftFunc(part, unicode.IsSpace); part != "" {
			result = append(result, part)
		}
	}
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	begin, at := 0, 0
	for {
		if strings.HasPrefix(text[at:], "---") {
			keep(text[begin:at])
			at += 3
			begin = len(text) - len(strings.TrimLeft(text[at:], " \t"))
		}
		next := strings.Index(text[at:], "\n---")
		if next < 0 {
			keep(text[begin:])
			return result
		}
		at += next + 1
	}
}

func hook(head *util.SimpleHead) (string, bool) {
	if head.Metadata == nil {
		return "", false
	}
	events, is := head.Metadata.Annotations[hookAnnotation]
	return events, is
}

func known(events string) bool {
	for event := range strings.SplitSeq(events, ",") {
		if !hooks[strings.ToLower(strings.TrimSpace(event))] {
			return false
		}
	}
	return true
}

// byKind sorts as Helm does: in its order of kinds, others by name behind them, and nothing else changed.
func byKind(entries []entry) {
	sort.SliceStable(entries, func(i, k int) bool {
		first, second := entries[i].kind, entries[k].kind
		a, aKnown := positions[first]
		b, bKnown := positions[second]
		switch {
		case aKnown && bKnown:
			return a < b
		case aKnown != bKnown:
			return aKnown
		default:
			return first < second
		}
	})
}

func write(out *strings.Builder, name, text string) {
	out.WriteString("---\n# Source: ")
	out.WriteString(name)
	out.WriteByte('\n')
	out.WriteString(text)
	out.WriteByte('\n')
}

// keep adds a document unless it is empty, and says where.
func (s *sorted) keep(name string, found *parsed) int {
	if bytes.Equal(found.content, []byte("null")) || bytes.Equal(found.content, []byte("{}")) {
		return -1
	}
	s.documents = append(s.documents, document{name, found})
	return len(s.documents) - 1
}

// parse reads a document once, however many releases have it.
//
// Helm prints a line end behind each document, and what is printed is what a cluster gets: a text in a block that ends
// with the file ends with a line end there, although its template has none.
func (j *job) parse(text string) *parsed {
	if known, ok := j.parsed[text]; ok {
		return known
	}
	result := &parsed{err: within([]byte(text))}
	if result.err != nil {
		return result
	}
	result.content, result.err = yaml.YAMLToJSON([]byte(text))
	if result.err == nil && json.Unmarshal(result.content, &result.head) != nil {
		// Scalars of another type become text there, and what is none is refused in Helm's words.
		result.head = util.SimpleHead{}
		result.err = yaml.Unmarshal([]byte(text), &result.head)
	} else if result.err != nil {
		// In Helm's words, which has read it without that line end.
		if _, err := yaml.YAMLToJSON([]byte(strings.TrimSuffix(text, "\n"))); err != nil {
			result.err = err
		}
		result.err = fmt.Errorf("error converting YAML to JSON: %w", result.err)
	}
	if result.err == nil && strings.HasPrefix(text, string(bom)) {
		// Helm prints a comment before each document, behind which the mark is no mark but a part of the first key.
		result.content, result.err = yaml.YAMLToJSON([]byte("#\n" + text))
	}
	j.parsed[text] = result
	return result
}

// called is the kind and name of the object that a document is.
func (p *parsed) called() string {
	if p.title == "" {
		var head struct {
			Kind     any `json:"kind"`
			Metadata struct {
				Name      any `json:"name"`
				Namespace any `json:"namespace"`
			} `json:"metadata"`
		}
		_ = json.Unmarshal(p.content, &head)
		p.title = text(head.Kind) + "/"
		if namespace := text(head.Metadata.Namespace); namespace != "" {
			p.title += namespace + "/"
		}
		p.title += text(head.Metadata.Name)
	}
	return p.title
}

func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return ""
}
