package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"

	util "helm.sh/helm/v4/pkg/release/v1/util"
)

// parsed is a document as JSON, with what Helm reads of it.
type parsed struct {
	content []byte
	head    util.SimpleHead
	err     error
}

// document is one of a release's, by the file of the chart that it comes from.
type document struct {
	name    string
	content []byte
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
	separator = regexp.MustCompile(`(?m)^---.*$`)
)

const hookAnnotation = "helm.sh/hook"

// sort makes a release of what its templates made.
func (j *job) sort(m *made) (*sorted, error) {
	result := &sorted{}
	var out strings.Builder
	for _, crd := range m.crds {
		text := string(crd.File.Data)
		write(&out, crd.Filename, text)
		// Helm prints the file as it is; whoever reads it splits it.
		for _, part := range separator.Split(text, -1) {
			found := j.parse(part)
			if found.err != nil {
				return nil, of(crd.Filename, found.err)
			}
			if index := result.keep(crd.Filename, found.content); index >= 0 {
				result.order = append(result.order, index)
			}
		}
	}
	manifests, hooked, err := j.split(m.files, result)
	if err != nil {
		return nil, err
	}
	for _, each := range manifests {
		write(&out, each.name, each.text)
	}
	var last strings.Builder
	last.WriteString(strings.TrimSpace(out.String()))
	last.WriteByte('\n')
	for _, each := range hooked {
		write(&last, each.name, each.text)
	}
	result.manifest = last.String()
	for _, each := range append(manifests, hooked...) {
		if each.index >= 0 {
			result.order = append(result.order, each.index)
		}
	}
	return result, nil
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
			found := j.parse(text)
			if found.err != nil {
				return nil, nil, of(name, found.err)
			}
			each := entry{name, text, found.head.Kind, into.keep(name, found.content)}
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
	return manifests, hooked, nil
}

// documents are those of a file, as Helm splits it, in their order.
func documents(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	parts := util.SplitManifests(text)
	keys := make([]string, 0, len(parts))
	for key := range parts {
		keys = append(keys, key)
	}
	sort.Sort(util.BySplitManifestsOrder(keys))
	result := make([]string, len(keys))
	for i, key := range keys {
		result[i] = parts[key]
	}
	return result
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
func (s *sorted) keep(name string, content []byte) int {
	if bytes.Equal(content, []byte("null")) || bytes.Equal(content, []byte("{}")) {
		return -1
	}
	s.documents = append(s.documents, document{name, content})
	return len(s.documents) - 1
}

// parse reads a document once, however many releases have it.
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
		result.err = fmt.Errorf("error converting YAML to JSON: %w", result.err)
	}
	j.parsed[text] = result
	return result
}
