package main

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// What Helm reads of a chart, of values and of what templates make may be so large and no larger: it would take what a
// process may take, and the process could not say any more which file it was. An alias counts as what it stands for, as
// often as it stands there, for Helm writes it out; hanbae/yaml_bounds.py does the same for what Python reads.
const (
	// mostBytes are those of a text, and those of a document's scalars.
	mostBytes = 8 << 20
	// mostEntries are keys and items of one document. Helm takes about ten microseconds for each, and more memory than
	// the text has.
	mostEntries = 100_000
	// mostRules are the same of a schema, of which compiling takes quadratic time.
	mostRules = 20_000
	// deepest is also what hanbae's own reader of YAML goes down to, and what its Python walks through.
	deepest = 250
	// mostMarks are characters of which each may begin an entry: a text with more is not even counted exactly.
	mostMarks = 500_000
	// packs are packed charts in one another.
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
	if marks <= mostEntries && deep <= deepest && !aliased(text) {
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
		left := budget{mostEntries, mostBytes, map[*yaml.Node]extent{}}
		for _, root := range document.Content {
			if _, err := left.spend(root, 1); err != nil {
				return err
			}
		}
	}
}

// extent is what there is in a node, aliases written out.
type extent struct{ entries, bytes, levels int }

// budget is what there may still be in a document, and what there is in its nodes that have an anchor.
type budget struct {
	entries, bytes int
	anchored       map[*yaml.Node]extent
}

// spend takes away what there is in a node, and says how many levels that has; its error names the line of the first node
// that is one too many, or too deep.
func (b *budget) spend(node *yaml.Node, depth int) (int, error) {
	if node.Kind == yaml.AliasNode {
		whole := b.anchored[node.Alias] // nothing for one that contains itself: Helm refuses that
		b.entries, b.bytes = b.entries-whole.entries, b.bytes-whole.bytes
		return whole.levels, b.overdrawn(node.Line, depth+whole.levels-1)
	}
	entries, size, levels := b.entries, b.bytes, min(len(node.Content), 1)
	b.bytes -= len(node.Value)
	if err := b.overdrawn(node.Line, depth+levels-1); err != nil {
		return levels, err
	}
	for i, below := range node.Content {
		if node.Kind != yaml.MappingNode || i%2 == 0 {
			b.entries--
		}
		deeper, err := b.spend(below, depth+1)
		if err != nil {
			return levels, err
		}
		levels = max(levels, 1+deeper)
	}
	if node.Anchor != "" {
		b.anchored[node] = extent{entries - b.entries, size - b.bytes, levels}
	}
	return levels, nil
}

// overdrawn is what of a document is too much up to a line, if anything is.
func (b *budget) overdrawn(line, depth int) error {
	switch {
	case depth > deepest:
		return beyond{Line: line, What: "depth", Limit: deepest}
	case b.entries < 0:
		return beyond{Line: line, What: "entries", Limit: mostEntries}
	case b.bytes < 0:
		return beyond{Line: line, What: "bytes", Limit: mostBytes}
	}
	return nil
}

// aliased says whether a text may have aliases.
func aliased(text []byte) bool {
	return bytes.IndexByte(text, '&') >= 0 && bytes.IndexByte(text, '*') >= 0
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

// odd is what ends a line and is no newline, what may stand before a line's head, and what is not of one byte (UTF-16):
// how deep a text with it goes, only the reader of YAML knows.
var odd = [][]byte{[]byte("\r"), {0}, []byte("\u0085"), []byte("\u2028"), []byte("\u2029"), []byte("\ufeff")}

// isMark says which characters may begin an entry.
var isMark = [256]bool{':': true, '-': true, ',': true, '[': true, '{': true, '?': true}

// suspected are upper bounds of the entries and of the depth of a YAML text, without reading it.
func suspected(text []byte) (marks, depth int) {
	opened, indent, widest, leading := 0, 0, 0, true
	for _, c := range text {
		switch {
		case c == '\n':
			indent, leading = 0, true
		case leading && (c == ' ' || c == '\t' || c == '-' || c == '?' || c == ':'):
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
	for _, mark := range odd {
		if bytes.Contains(text, mark) {
			return marks, math.MaxInt
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
	case strings.HasSuffix(folder, "charts/") && strings.HasSuffix(name, ".tgz"):
		if left == 0 {
			return beyond{What: "depth", Limit: packs} // Helm would unpack all of them
		}
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
