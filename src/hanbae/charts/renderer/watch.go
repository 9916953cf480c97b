package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	_ "unsafe" // for the name of Helm's functions

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// watch finds out on which patch releases of Kubernetes it can depend what templates make, with one rendering.
//
// In that one the patch is a number that nobody can know beforehand. Templates carry it on, print it, or give it to a
// function. What they print is seen in what they made. A function that was given it is asked again for each patch that
// there may be: if its answer is the same but for the number, it tells nothing; if not, that patch has to be rendered.
// A template decides without a function by a number, which may be nought and which it can count to, and by a key of a
// map: where the patch becomes one of these, it cannot be said which patches are told from one another.
//
// Not seen is the patch in a text that `include` made and `tpl` takes for a template: both belong to Helm's engine.
type watch struct {
	mark    string
	number  int64
	patches []string
	told    map[string]bool // patches for which a function answered otherwise
	all     bool            // whether that cannot be said
	seen    map[string]bool // calls that were asked again
}

// longest is a text for which a function is asked again; it is asked a hundred times.
const longest = 1 << 16

var (
	// changing are functions that change what they are given; the number is that of the key.
	changing = map[string]int{"set": 1, "unset": 1, "merge": 0, "mustMerge": 0, "mergeOverwrite": 0, "mustMergeOverwrite": 0}
	// handing are functions that hand a map on, or look at no more of it than its keys; to others everything in it matters.
	handing = map[string]bool{"append": true, "coalesce": true, "compact": true, "concat": true, "default": true,
		"deepCopy": true, "dict": true, "dig": true, "empty": true, "first": true, "get": true, "hasKey": true,
		"index": true, "initial": true, "keys": true, "kindIs": true, "kindOf": true, "last": true, "len": true,
		"list": true, "mustAppend": true, "mustCompact": true, "mustDeepCopy": true, "mustFirst": true,
		"mustInitial": true, "mustLast": true, "mustPrepend": true, "mustPush": true, "mustRest": true,
		"mustReverse": true, "mustSlice": true, "omit": true, "pick": true, "pluck": true, "prepend": true,
		"push": true, "rest": true, "reverse": true, "slice": true, "ternary": true, "tuple": true, "typeIs": true,
		"typeIsLike": true, "typeOf": true, "values": true}
	// bound are functions that Helm's engine makes anew for each rendering.
	bound = []string{"fail", "getHostByName", "include", "lookup", "required", "tpl"}
)

// helmFunctions are Helm's own. It does not offer them, and copies would be other functions.
//
//go:linkname helmFunctions helm.sh/helm/v4/pkg/engine.funcMap
func helmFunctions() template.FuncMap

// watched renders the release in that way.
func (w *witness) watched() *watch {
	minor := minorOf(w.rel)
	_, own, _ := strings.Cut(w.rel.KubeVersion, strings.TrimPrefix(minor, "v"))
	seen := &watch{patches: []string{own}, told: map[string]bool{}, seen: map[string]bool{}}
	for patch := 0; patch <= lastPatch; patch++ {
		seen.patches = append(seen.patches, strconv.Itoa(patch))
	}
	for _, name := range w.literals(func(name string) bool { return strings.HasPrefix(name, minor) }) {
		seen.patches = append(seen.patches, name[len(minor):])
	}
	drawn, err := rand.Int(rand.Reader, big.NewInt(8_000_000))
	caps, fault := capabilities(w.rel)
	if err != nil || fault != nil || w.late() {
		seen.all = true
		return seen
	}
	seen.number = 1_000_000 + drawn.Int64()
	seen.mark = strconv.FormatInt(seen.number, 10)
	marked := *caps
	version, err := common.ParseKubeVersion(minor + seen.mark)
	if err != nil {
		seen.all = true
		return seen
	}
	marked.KubeVersion = *version
	w.functions, w.adding = seen.functions(w.left.functions()), seen.decoys
	made, err := w.render(w.rel, caps, &marked)
	w.adding = nil
	if err != nil {
		seen.all = true
		return seen
	}
	release, err := w.sort(made, false)
	// Where the release's own patch is told from the number, any other may be told from it.
	seen.all = seen.all || err != nil || seen.told[own] || seen.isIn(release)
	if err == nil && !w.base.equal(release) {
		seen.files(w.loaded)
		objects, _ := w.changed(release)
		seen.all = seen.all || objects != nil
	}
	return seen
}

// decoys are files that a template finds if it makes a name with the number: what it makes then is something else.
func (w *watch) decoys(c *chart.Chart) {
	files := c.Files
	for _, file := range c.Files {
		if strings.HasPrefix(file.Name, "crds/") {
			continue // it would be applied
		}
		for patch := 1; patch <= mostPatches; patch++ {
			if text := strconv.Itoa(patch); strings.Contains(file.Name, text) {
				name := strings.ReplaceAll(file.Name, text, w.mark)
				files = append(files[:len(files):len(files)], &common.File{Name: name, Data: []byte(w.mark)})
			}
		}
	}
	c.Files = files
	for _, sub := range c.Dependencies() {
		w.decoys(sub)
	}
}

// isIn says whether the number is in what was made.
func (w *watch) isIn(release *sorted) bool {
	for _, each := range release.documents {
		if bytes.Contains(each.content, []byte(w.mark)) {
			return true
		}
	}
	return false
}

// files takes those for asked for whose names have a patch in them.
func (w *watch) files(c *chart.Chart) {
	for _, file := range c.Files {
		for patch := 1; patch <= mostPatches; patch++ {
			if text := strconv.Itoa(patch); strings.Contains(file.Name, text) {
				w.told[text] = true
			}
		}
	}
	for _, sub := range c.Dependencies() {
		w.files(sub)
	}
}

// tells says whether a patch may be told from another.
func (w *watch) tells(patch string) bool { return w.all || w.told[patch] }

// candidates are the patches to be rendered besides the first, the last and those that the chart names.
func (w *watch) candidates() []string {
	var result []string
	for number := 1; number < lastPatch; number++ {
		patch := strconv.Itoa(number)
		if w.told[patch] || w.all && number <= mostPatches {
			result = append(result, patch)
		}
	}
	return result
}

// functions are Helm's own, watched. Those that are there already are not asked again: they take long, or give the same
// each time because they remember what they gave.
func (w *watch) functions(given template.FuncMap) template.FuncMap {
	result := helmFunctions()
	for _, name := range bound {
		delete(result, name)
	}
	maps.Copy(result, builtins())
	for name, function := range result {
		if given[name] != nil {
			continue
		}
		result[name] = w.watching(name, reflect.ValueOf(function))
	}
	for name, function := range given {
		result[name] = noting(function, func(arguments []reflect.Value) {
			for _, each := range arguments {
				w.all = w.all || w.has(each.Interface(), !handing[name])
			}
		})
	}
	return result
}

func (w *watch) watching(name string, function reflect.Value) any {
	key, changes := changing[name]
	deep := !handing[name]
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		if changes {
			if key > 0 && len(arguments) > key && w.has(arguments[key].Interface(), false) {
				w.all = true
			}
			return called(function, arguments)
		}
		answer := called(function, arguments)
		for _, each := range arguments {
			if w.has(each.Interface(), deep) {
				w.ask(name, function, arguments, answer, deep)
				break
			}
		}
		return answer
	}).Interface()
}

// ask asks a function again for each patch.
func (w *watch) ask(name string, function reflect.Value, arguments, answer []reflect.Value, deep bool) {
	whole := traces{watch: w}
	for _, each := range arguments {
		whole.look(each.Interface(), true)
	}
	result := traces{watch: w}
	result.look(answer[0].Interface(), true)
	w.all = w.all || whole.endless || result.endless || result.decides
	if whole.endless || result.endless {
		return
	}
	words := []any{name}
	for _, each := range arguments {
		words = append(words, each.Interface())
	}
	key := fmt.Sprintf("%#v", words)
	if w.seen[key] {
		return
	}
	w.seen[key] = true
	given := answer[0].Interface()
	if text, is := given.(string); len(key) > longest || is && strings.Contains(text, "{{") {
		w.all = true // too long, or it may become a template
		return
	}
	for _, patch := range w.patches {
		replaced := make([]reflect.Value, len(arguments))
		for i, each := range arguments {
			replaced[i] = each
			if value := w.with(each.Interface(), patch, deep); value != nil {
				replaced[i] = reflect.ValueOf(value)
			}
		}
		again := tried(function, replaced)
		if again.panics != nil || !reflect.DeepEqual(again.values[0].Interface(), w.with(given, patch, true)) {
			w.told[patch] = true
		}
	}
}

// has says whether the number is in a value.
func (w *watch) has(value any, deep bool) bool {
	there := traces{watch: w}
	there.look(value, deep)
	return there.some
}

// traces are what of the number is in a value.
type traces struct {
	*watch
	some    bool
	decides bool             // as a number or in a key, by which a template decides without asking a function
	endless bool             // a map that is in itself
	path    map[uintptr]bool // maps above
}

func (t *traces) look(value any, deep bool) {
	switch each := value.(type) {
	case string:
		t.some = t.some || strings.Contains(each, t.mark)
	case int:
		t.count(float64(each))
	case int64:
		t.count(float64(each))
	case float64:
		t.count(each)
	case []string:
		for _, below := range each {
			t.look(below, deep)
		}
	case []any:
		for _, below := range each {
			t.look(below, deep)
		}
	case common.Values:
		t.look(map[string]any(each), deep)
	case common.KubeVersion:
		t.look(each.Version, deep)
	case *common.KubeVersion:
		t.look(each.Version, deep)
	case *common.Capabilities:
		t.some = t.some || deep
	case map[string]any:
		if deep {
			t.within(each)
		}
	}
}

func (t *traces) count(number float64) {
	if number == float64(t.number) {
		t.some, t.decides = true, true
	}
}

func (t *traces) within(values map[string]any) {
	at := reflect.ValueOf(values).Pointer()
	if t.path[at] {
		t.endless = true
		return
	}
	if t.path == nil {
		t.path = map[uintptr]bool{}
	}
	t.path[at] = true
	defer delete(t.path, at)
	for name, below := range values {
		if strings.Contains(name, t.mark) {
			t.some, t.decides = true, true
		}
		t.look(below, true)
	}
}

// with is a value with a patch in the place of the number.
func (w *watch) with(value any, patch string, deep bool) any {
	number, err := strconv.ParseInt(patch, 10, 64)
	switch each := value.(type) {
	case string:
		return strings.ReplaceAll(each, w.mark, patch)
	case int:
		if int64(each) == w.number && err == nil {
			return int(number)
		}
	case int64:
		if each == w.number && err == nil {
			return number
		}
	case float64:
		if each == float64(w.number) && err == nil {
			return float64(number)
		}
	case []string:
		fresh := make([]string, len(each))
		for i, below := range each {
			fresh[i] = strings.ReplaceAll(below, w.mark, patch)
		}
		return fresh
	case []any:
		fresh := make([]any, len(each))
		for i, below := range each {
			fresh[i] = w.with(below, patch, deep)
		}
		return fresh
	case common.Values:
		return common.Values(w.with(map[string]any(each), patch, deep).(map[string]any))
	case common.KubeVersion:
		return *w.released(&each, patch)
	case *common.KubeVersion:
		return w.released(each, patch)
	case *common.Capabilities:
		if deep {
			fresh := each.Copy()
			fresh.KubeVersion = *w.released(&each.KubeVersion, patch)
			return fresh
		}
	case map[string]any:
		if deep {
			fresh := make(map[string]any, len(each))
			for name, below := range each {
				fresh[strings.ReplaceAll(name, w.mark, patch)] = w.with(below, patch, deep)
			}
			return fresh
		}
	}
	return value
}

// released is a version of Kubernetes with a patch in the place of the number.
func (w *watch) released(version *common.KubeVersion, patch string) *common.KubeVersion {
	fresh, err := common.ParseKubeVersion(strings.ReplaceAll(version.Version, w.mark, patch))
	if err != nil {
		w.all = true
		return version
	}
	return fresh
}

// builtins are the functions of templates that tell values apart or write them.
func builtins() template.FuncMap {
	result := template.FuncMap{
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
	}
	for _, name := range []string{"eq", "ne", "lt", "le", "gt", "ge", "index", "slice", "len"} {
		result[name] = builtin(name)
	}
	return result
}

// builtin is a function that is a template's own: only a template can call it.
func builtin(name string) func(...any) (any, error) {
	calls := map[int]*template.Template{}
	return func(arguments ...any) (any, error) {
		call := calls[len(arguments)]
		if call == nil {
			var text strings.Builder
			for i := range arguments {
				fmt.Fprintf(&text, " (index .Arguments %d)", i)
			}
			parsed, err := template.New(name).Parse("{{ .Take (" + name + text.String() + ") }}")
			if err != nil {
				return nil, err
			}
			call, calls[len(arguments)] = parsed, parsed
		}
		taken := &taker{Arguments: arguments}
		err := call.Execute(&bytes.Buffer{}, taken)
		return taken.value, err
	}
}

// taker takes the value of an expression out of a template.
type taker struct {
	Arguments []any
	value     any
}

// Take takes the value.
func (t *taker) Take(value any) string {
	t.value = value
	return ""
}
