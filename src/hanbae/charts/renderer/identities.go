package main

import (
	"bytes"
	"errors"
	"maps"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"

	tracking "hanbae/renderer/common"
)

// identity is who Helm says it is.
type identity struct{ version, commit, tree, golang string }

// argo is the Helm in Argo CD's release. Its commit cannot be known from the module, so this one is made up like those
// below: what depends on it is reported, whatever it is.
var argo = identity{"v4.3.1", "0000000000000000000000000000000000000000", "clean", "go1.27.3"}

// others are who Helm might be as well: what is deployed must not depend on it.
var others = []struct {
	name string
	identity
}{
	{"Helm v3.18.6", identity{"v3.18.6", argo.commit, argo.tree, "go1.24.6"}},
	{"Helm v99.0.0", identity{"v99.0.0", argo.commit, argo.tree, "go1.99.0"}},
	{"another commit of Helm v4.3.1", identity{argo.version, "0123456789abcdef0123456789abcdef01234567", argo.tree, argo.golang}},
	{"Helm v4.3.1 built with another Go", identity{argo.version, argo.commit, argo.tree, "go1.27.99"}},
}

// unmarked is a Helm whose build did not say what it was built from, as with `go build`.
var unmarked = identity{argo.version, "", "", argo.golang}

func (i identity) wear(caps *common.Capabilities) {
	caps.HelmVersion.Version = i.version
	caps.HelmVersion.GitCommit = i.commit
	caps.HelmVersion.GitTreeState = i.tree
	caps.HelmVersion.GoVersion = i.golang
}

const (
	mostSubsets = 4 // unknown API versions of which every combination is rendered
	mostSingles = 8 // and of which each is rendered by itself
	mostRounds  = 3 // how often an answer may lead to further questions
	mostNamed   = 5 // objects that a difference names
)

// difference is what would be other objects under another identity.
type difference struct {
	Asked    string   `json:"asked"`
	Identity string   `json:"identity"`
	Objects  []string `json:"objects"`
	Template string   `json:"template"`
}

// compare renders a release again under the identities that its templates asked about, and says what differs.
func (w *witness) compare(out *bytes.Buffer, asked *tracking.Asked) {
	if calls := w.chanced(); len(calls) > 0 {
		out.WriteString(`,"calls":`)
		put(out, calls)
		out.WriteString(`,"sites":`)
		put(out, w.left.reached())
	}
	if !asked.Anything() {
		return
	}
	differences := []difference{}
	if asked.Helm {
		for _, other := range others {
			differences = append(differences, w.differs("helm", other.name, func(c *common.Capabilities) { other.wear(c) })...)
		}
		if len(differences) == 0 {
			differences = w.differs("helm", "Helm v4.3.1 built without its commit", func(c *common.Capabilities) { unmarked.wear(c) })
		}
		differences = append(differences, w.releases(len(differences) > 0)...)
	}
	if asked.Kube && !w.rel.VersionIsKnown {
		differences = append(differences, w.patches()...)
	}
	if len(differences) > 0 {
		out.WriteString(`,"differences":`)
		put(out, differences)
	}
	if !w.rel.APIsAreKnown {
		w.alternatives(out, asked)
	}
	if len(w.untried) > 0 {
		out.WriteString(`,"untried":`)
		put(out, names(w.untried))
	}
}

// witness compares a release with itself under other identities.
type witness struct {
	*job
	rel      *release
	base     *sorted
	left     *chance
	over     template.FuncMap // in the place of Helm's own functions, for a comparison
	unstable map[string]bool  // objects that are others each time: what is made of a map's keys, in any order
	untried  map[string]bool  // what there was no time for, or too much of
	begun    time.Duration    // of the processor, when the release was begun
}

// late says whether there is no time for another rendering, so that the release's own answer is not lost for it.
func (w *witness) late() bool { return busy()-w.begun > mostCompared }

// errSpent is why a comparison is not made: what a chart is must not be lost for what it is elsewhere.
var errSpent = errors.New("there is no time for comparisons")

func (w *witness) again(change func(*common.Capabilities)) (*sorted, error) {
	if w.late() {
		w.leave("Helm, Kubernetes")
		return nil, errSpent
	}
	caps, err := capabilities(w.rel)
	if err != nil {
		return nil, err
	}
	change(caps)
	w.functions = w.left.functions()
	maps.Copy(w.functions, w.over)
	result, err := w.render(w.rel, caps, nil)
	if err != nil {
		return nil, err
	}
	return w.sort(result, false)
}

// differs is empty where the objects are the same, and where Helm fails: then nothing is deployed in silence.
func (w *witness) differs(asked, name string, change func(*common.Capabilities)) []difference {
	other, err := w.again(change)
	if err != nil {
		return nil
	}
	objects, template := w.changed(other)
	if objects == nil {
		return nil
	}
	return []difference{{asked, name, objects, template}}
}

// releases tries the releases of Helm that the chart names, and those that may come next.
func (w *witness) releases(differ bool) []difference {
	if differ {
		return nil
	}
	more := w.literals(func(name string) bool { return name[1] >= '2' && name[1] <= '9' && name[2] == '.' })
	for _, minor := range []string{"v4.3.", "v4.4.", "v4.5.", "v4.6."} {
		for patch := 0; patch <= 4; patch++ {
			more = append(more, minor+strconv.Itoa(patch))
		}
	}
	return w.firstOf("helm", "Helm ", more, func(c *common.Capabilities, name string) bool {
		identity{name, argo.commit, argo.tree, argo.golang}.wear(c)
		return true
	})
}

func (w *witness) leave(name string) {
	if w.untried == nil {
		w.untried = map[string]bool{}
	}
	w.untried[name] = true
}

// changed names the objects that are not the same, and the template of the first.
func (w *witness) changed(other *sorted) ([]string, string) {
	if w.base.equal(other) {
		return nil, ""
	}
	if w.unstable == nil {
		w.unstable = map[string]bool{}
		if same, err := w.again(func(*common.Capabilities) {}); err == nil {
			for _, each := range differing(w.base.index(), same.index()) {
				w.unstable[each] = true
			}
		}
	}
	first, second := w.base.index(), other.index()
	var objects []string
	template := ""
	for _, each := range differing(first, second) {
		if w.unstable[each] {
			continue
		}
		if template == "" {
			template = first[each].name + second[each].name
			if first[each].name != "" {
				template = first[each].name
			}
		}
		if len(objects) < mostNamed {
			objects = append(objects, each)
		}
	}
	return objects, template
}

func differing(first, second map[string]document) []string {
	var names []string
	for name, each := range first {
		if other, ok := second[name]; !ok || each.parsed != other.parsed && !bytes.Equal(each.content, other.content) {
			names = append(names, name)
		}
	}
	for name := range second {
		if _, ok := first[name]; !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func (s *sorted) equal(other *sorted) bool {
	if len(s.order) != len(other.order) {
		return false
	}
	for i := range s.order {
		a, b := s.documents[s.order[i]], other.documents[other.order[i]]
		if a.name != b.name || !bytes.Equal(a.content, b.content) {
			return false
		}
	}
	return true
}

// index has every object by its name; of several that have the same, each by how many came before it.
func (s *sorted) index() map[string]document {
	found := map[string]document{}
	for _, at := range s.order {
		each := s.documents[at]
		name := each.called()
		for _, taken := found[name]; taken; _, taken = found[name] {
			name += "'"
		}
		found[name] = each
	}
	return found
}

// alternative is what a release is in a cluster that has API versions which nobody knows to be there.
type alternative struct {
	assumed []string
	release *sorted
}

// alternatives renders what a release is with the API versions that it asked about, in bounded combinations.
func (w *witness) alternatives(out *bytes.Buffer, asked *tracking.Asked) {
	unknown := w.unknown(asked)
	if len(unknown) == 0 {
		return
	}
	if len(unknown) > mostSubsets {
		w.leave("combinations of " + strings.Join(unknown[:min(len(unknown), mostNamed)], ", "))
	}
	distinct := []alternative{}
	for _, assumed := range combinations(unknown) {
		release, err := w.assuming(assumed)
		if err != nil {
			continue
		}
		if objects, _ := w.changed(release); objects == nil {
			continue
		}
		same := false
		for _, each := range distinct {
			same = same || each.release.equal(release)
		}
		if !same {
			distinct = append(distinct, alternative{assumed, release})
		}
	}
	if len(distinct) == 0 {
		return
	}
	out.WriteString(`,"alternatives":[`)
	for i, each := range distinct {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`{"assumed":`)
		put(out, each.assumed)
		each.release.write(out, w.base)
		out.WriteByte('}')
	}
	out.WriteByte(']')
}

// unknown are the API versions that were asked for, by all that was rendered, and of which nobody knows.
func (w *witness) unknown(asked *tracking.Asked) []string {
	wanted := map[string]bool{}
	for round := 0; round < mostRounds; round++ {
		if asked.Whole {
			w.leave("API versions") // what a template looks for in a list is not known
		}
		before := len(wanted)
		for name := range asked.APIs {
			if !w.answered(name) {
				wanted[name] = true
			}
		}
		if len(wanted) == before {
			break
		}
		if w.late() {
			w.leave("API versions")
			break
		}
		caps, err := capabilities(w.rel)
		if err != nil {
			break
		}
		caps.APIVersions = append(caps.APIVersions, names(wanted)...)
		asked = w.questions(caps)
	}
	return names(wanted)
}

// answered says whether it is known that a cluster has, or has not, an API version: Kubernetes' own groups are known.
func (w *witness) answered(name string) bool {
	group, _, below := strings.Cut(name, "/")
	if !below || isVersion(group) {
		return true
	}
	for _, served := range common.DefaultVersionSet {
		if strings.HasPrefix(served, group+"/") {
			return true
		}
	}
	for _, served := range w.rel.APIVersions {
		if served == name {
			return true
		}
	}
	return false
}

func isVersion(name string) bool {
	return len(name) > 1 && name[0] == 'v' && name[1] >= '0' && name[1] <= '9'
}

func (w *witness) assuming(assumed []string) (*sorted, error) {
	return w.again(func(c *common.Capabilities) { c.APIVersions = append(c.APIVersions, assumed...) })
}

func names(set map[string]bool) []string {
	result := make([]string, 0, len(set))
	for name := range set {
		result = append(result, name)
	}
	sort.Strings(result)
	return result
}

// combinations are all subsets of a few names, and of many the whole and each by itself; the whole comes first.
func combinations(names []string) [][]string {
	result := [][]string{names}
	if len(names) > mostSubsets {
		for _, name := range names[:min(len(names), mostSingles)] {
			result = append(result, []string{name})
		}
		return result
	}
	for mask := 1; mask < 1<<len(names)-1; mask++ {
		var subset []string
		for i, name := range names {
			if mask&(1<<i) != 0 {
				subset = append(subset, name)
			}
		}
		result = append(result, subset)
	}
	return result
}
