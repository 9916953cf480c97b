package main

import (
	"fmt"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"

	tracking "hanbae/renderer/common"
	fields "hanbae/renderer/fields"
)

// first renders a release and says what its templates asked for.
func (j *job) first(rel *release, caps *common.Capabilities) (*made, *tracking.Asked, *witness, error) {
	w := &witness{job: j, rel: rel, left: newChance(), begun: busy()}
	seen, asked := tracking.Track(caps)
	result, err := w.placed(caps, seen)
	if err == nil && !asked.Anything() {
		return result, asked, w, nil
	}
	whole := err == nil && !asked.Unlike
	// Helm's own answers are not the same objects as the ones that note questions, and errors name their types.
	result, err = w.placed(caps, nil)
	if err != nil {
		j.functions = w.left.functions()
		result, err = j.render(rel, caps, nil)
	}
	if err == nil && !whole {
		asked = w.listed(caps)
	}
	return result, asked, w, err
}

// placed renders the release and notes where functions of chance are called.
func (w *witness) placed(caps *common.Capabilities, seen any) (*made, error) {
	w.functions, w.placing = w.left.functions(), w.left
	defer func() { w.placing = nil }()
	if seen != nil {
		w.liken()
	}
	return w.render(w.rel, caps, seen)
}

// questions are what the templates of the release ask under some capabilities.
func (w *witness) questions(caps *common.Capabilities) *tracking.Asked {
	seen, asked := tracking.Track(caps)
	if w.notes(caps, seen, asked) {
		return asked
	}
	return w.listed(caps)
}

// listed are the questions of templates that fail, or may do something else, where capabilities are not as Helm's.
func (w *witness) listed(caps *common.Capabilities) *tracking.Asked {
	seen, asked := fields.Track(caps, false)
	if w.late() || !w.notes(caps, seen, asked) {
		seen, asked = fields.Track(caps, true)
		if !w.late() {
			w.notes(caps, seen, asked)
		}
	}
	return asked
}

// notes says whether all questions were noted: templates did with the capabilities what they do with Helm's own.
func (w *witness) notes(caps *common.Capabilities, seen any, asked *tracking.Asked) bool {
	w.functions = w.left.functions()
	w.liken()
	_, err := w.render(w.rel, caps, seen)
	return err == nil && !asked.Unlike
}

// liken has functions take the set that notes questions for the list that it stands for.
func (w *witness) liken() {
	has, mustHas := w.left.helm["has"].(func(any, any) bool), w.left.helm["mustHas"].(func(any, any) (bool, error))
	kindOf := w.left.helm["kindOf"].(func(any) string)
	likened := func(value any) string {
		if _, is := value.(tracking.VersionSet); is {
			return "slice"
		}
		return kindOf(value)
	}
	asks := func(item, list any) (bool, bool) {
		set, is := list.(tracking.VersionSet)
		version, named := item.(string)
		return is && named && set.Has(version), is
	}
	for name, function := range (template.FuncMap{
		"has": func(item, list any) bool {
			if answer, is := asks(item, list); is {
				return answer
			}
			return has(item, list)
		},
		"mustHas": func(item, list any) (bool, error) {
			if answer, is := asks(item, list); is {
				return answer, nil
			}
			return mustHas(item, list)
		},
		"kindOf": likened,
		"kindIs": func(kind string, value any) bool { return likened(value) == kind },
		"printf": func(format string, values ...any) string {
			for _, value := range values {
				if set, is := value.(tracking.VersionSet); is {
					set.Show() // as %p does without asking it
				}
			}
			return fmt.Sprintf(format, values...)
		},
	}) {
		w.functions[name] = function
	}
}
