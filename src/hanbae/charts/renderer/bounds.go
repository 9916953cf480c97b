package main

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// What Helm reads of a chart, of values and of what templates make may be so large and no larger: it would take what a
// process may take, and the process could not say any more which file it was. An alias counts for itself alone, so a
// text of many aliases may still be too much for the process.
const (
	mostBytes = 8 << 20
	// mostEntries are keys and items of one document. Helm takes about ten microseconds for each, and more memory than
	// the text has.
	mostEntries = 100_000
	// mostRules are the same of a schema, of which compiling takes quadratic time.
	mostRules = 20_000
	// deepest is also what hanbae's own reader of YAML goes down to.
	deepest = 500
	// mostMarks are characters of which each may begin an entry: a text with more is not even counted exactly.
	mostMarks = 500_000
	// packs are charts in packed charts.
	packs = 4
)

// beyond is a text that is larger than it may be.
type beyond struct {
	File   string `json:"file"` // in the chart's folder; empty for a values file of the release
	Line   int    `json:"line"` // 0 where it is not one of a file
	What   string `json:"what"` // bytes, entries or depth
	Limit  int    `json:"limit"`
	Values bool   `json:"values"` // whether it is a values file of the release
	Index  int    `json:"index"`  // which one
}

func (b beyond) Error() string {
	return fmt.Sprintf("%s has more than %d %s", b.File, b.Limit, b.What)
}

// within checks a YAML text before Helm reads it; what is no YAML is left to Helm's words.
func within(text []byte) error {
	if len(text) > mostBytes {
		return beyond{What: "bytes", Limit: mostBytes}
	}
	marks, deep := suspected(text)
	if marks <= mostEntries && deep <= deepest {
		return nil
	}
	if marks > mostMarks {
		return beyond{Line: lineOf(text, mostEntries), What: "entries", Limit: mostEntries}
	}
	reader := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		if err := reader.Decode(&document); err != nil {
			if strings.Contains(err.Error(), "exceeded max depth") {
				return beyond{Line: opening(text), What: "depth", Limit: deepest}
			}
			return nil
		}
		left := mostEntries
		for _, root := range document.Content {
			if line, what, limit := exceeded(root, &left, 1); what != "" {
				return beyond{Line: line, What: what, Limit: limit}
			}
		}
	}
}

// exceeded is the line of the first node that is one too many, or too deep.
func exceeded(node *yaml.Node, left *int, depth int) (int, string, int) {
	if depth > deepest && node.Content != nil {
		return node.Line, "depth", deepest
	}
	for i, below := range node.Content {
		if node.Kind != yaml.MappingNode || i%2 == 0 {
			*left--
		}
		if *left < 0 {
			return below.Line, "entries", mostEntries
		}
		if line, what, limit := exceeded(below, left, depth+1); what != "" {
			return line, what, limit
		}
	}
	return 0, "", 0
}

// opening is the line in which more is open than may be, of a text that is too deep for the reader of YAML.
func opening(text []byte) int {
	line, open := 1, 0
	for _, c := range text {
		switch c {
		case '\n':
			line++
		case '[', '{':
			open++
		case ']', '}':
			open--
		}
		if open > deepest {
			return line
		}
	}
	return 0
}

// isMark says which characters may begin an entry.
var isMark = [256]bool{':': true, '-': true, ',': true, '[': true, '{': true, '?': true}

// suspected are upper bounds of the entries and of the depth of a YAML text, without reading it.
func suspected(text []byte) (marks, depth int) {
	opened, indent, widest, leading := 0, 0, 0, true
	for _, c := range text {
		switch {
		case c == '\n':
			indent, leading = 0, true
		case leading && (c == ' ' || c == '-' || c == '?'):
			indent++
			widest = max(widest, indent)
		default:
			leading = false
		}
		if isMark[c] {
			marks++
			if c == '[' || c == '{' {
				opened++
			}
		}
	}
	// A list may begin in the column of the key that it belongs to.
	return marks, 2*widest + opened + 2
}

// lineOf is the line of the mark with a number: where there are too many entries, or a little before that.
func lineOf(text []byte, number int) int {
	line := 1
	for _, c := range text {
		if c == '\n' {
			line++
		} else if isMark[c] {
			if number--; number < 0 {
				break
			}
		}
	}
	return line
}

// withinJSON is the same for a text that is JSON, with a bound of its own.
func withinJSON(text []byte, most int) error {
	if len(text) > mostBytes {
		return beyond{What: "bytes", Limit: mostBytes}
	}
	line, entries, depth, quoted, escaped := 1, 0, 0, false, false
	for _, c := range text {
		switch {
		case c == '\n':
			line++
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == ',':
			entries++
		case c == '{' || c == '[':
			entries++
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if entries > most {
			return beyond{Line: line, What: "entries", Limit: most}
		}
		if depth > deepest {
			return beyond{Line: line, What: "depth", Limit: deepest}
		}
	}
	return nil
}

// bounded checks the files of a chart that Helm reads before it renders anything, once for all releases.
func (j *job) bounded() error {
	if !j.checked {
		j.checked = true
		files := make([]*archive.BufferedFile, len(j.Files))
		for i, f := range j.Files {
			files[i] = &archive.BufferedFile{Name: f.Path, Data: j.content[i]}
		}
		j.excess = boundedFiles(files, packs)
	}
	return j.excess
}

func boundedFiles(files []*archive.BufferedFile, left int) error {
	for _, f := range files {
		if err := boundedFile(f, left); err != nil {
			if b, is := err.(beyond); is && b.File == "" {
				b.File = f.Name
				return b
			}
			return err
		}
	}
	return nil
}

func boundedFile(f *archive.BufferedFile, left int) error {
	switch folder, name := path.Split(f.Name); {
	case name == "values.schema.json":
		return withinJSON(f.Data, mostRules)
	case name == "Chart.yaml", name == "values.yaml", name == "requirements.yaml", name == "Chart.lock",
		name == "requirements.lock", strings.Contains("/"+folder, "/crds/"):
		return within(f.Data)
	case strings.HasSuffix(folder, "charts/") && strings.HasSuffix(name, ".tgz") && left > 0:
		inner, err := archive.LoadArchiveFiles(bytes.NewReader(f.Data))
		if err != nil {
			return nil // Helm says so
		}
		if b, is := boundedFiles(inner, left-1).(beyond); is {
			return beyond{File: f.Name, What: b.What, Limit: b.Limit}
		}
	}
	return nil
}

// boundedValues checks the values files of a release.
func boundedValues(rel *release) error {
	for index, text := range rel.Values {
		if b, is := within(text).(beyond); is {
			b.Values, b.Index = true, index
			return b
		}
	}
	return nil
}

// of names the file that a template or a CRD is, by its name in the chart's folder.
func of(name string, err error) error {
	if b, is := err.(beyond); is {
		_, b.File, _ = strings.Cut(name, "/")
		b.Line = 0 // one of what it made
		return b
	}
	return fmt.Errorf("YAML parse error on %s: %w", name, err)
}
