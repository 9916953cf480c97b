package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const (
	// mostLiterals are versions that a chart names of which each is tried.
	mostLiterals = 24
	// mostLooked are versions of one file that are looked at for that.
	mostLooked = mostLiterals * 16
	// lastPatch stands for all that are later, and mostPatches are tried where templates do not say which they ask for.
	lastPatch, mostPatches = 99, 16
	// mostTime of the processor is for trying versions one by one, of one release.
	mostTime = 2 * time.Second
	// mostCompared of the processor, from the beginning of a release, is when no more comparisons of it begin.
	mostCompared = 8 * time.Second
)

var (
	version = regexp.MustCompile(`^v?[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,4}(?:[-+][0-9A-Za-z.+-]{1,40})?`)
	isDigit = [256]bool{'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true}
)

// patches compares the release with itself on other patch releases of the minor version that it is rendered for: on
// those on which it may depend.
func (w *witness) patches() []difference {
	minor := minorOf(w.rel)
	if minor == "" {
		return nil
	}
	seen := w.watched()
	wear := func(c *common.Capabilities, name string) bool {
		version, err := common.ParseKubeVersion(name)
		if err == nil {
			c.KubeVersion = *version
		}
		return err == nil && name != w.rel.KubeVersion
	}
	var result []difference
	for _, patch := range []string{"0", strconv.Itoa(lastPatch)} {
		if name := minor + patch; seen.tells(patch) && name != w.rel.KubeVersion {
			result = append(result, w.differs("kubernetes", "Kubernetes "+name, func(c *common.Capabilities) { wear(c, name) })...)
		}
	}
	if len(result) > 0 {
		return result
	}
	var more []string
	for _, name := range w.literals(func(name string) bool { return strings.HasPrefix(name, minor) }) {
		if seen.tells(name[len(minor):]) {
			more = append(more, name)
		}
	}
	for _, patch := range seen.candidates() {
		more = append(more, minor+patch)
	}
	return w.firstOf("kubernetes", "Kubernetes ", more, wear)
}

// minorOf is the minor version of Kubernetes that a release is rendered for, up to the last dot; empty where only that
// is known.
func minorOf(rel *release) string {
	parts := strings.SplitN(strings.TrimPrefix(rel.KubeVersion, "v"), ".", 3)
	if len(parts) < 3 {
		return ""
	}
	return "v" + parts[0] + "." + parts[1] + "."
}

// firstOf is the first of several identities that makes a difference.
func (w *witness) firstOf(asked, kind string, all []string, wear func(*common.Capabilities, string) bool) []difference {
	begun := busy()
	for _, name := range all {
		if busy()-begun > mostTime {
			w.leave(kind + "(" + all[0] + " … " + all[len(all)-1] + ")")
			return nil
		}
		wearable := false
		found := w.differs(asked, kind+name, func(c *common.Capabilities) { wearable = wear(c, name) })
		if wearable && len(found) > 0 {
			return found
		}
	}
	return nil
}

// busy is the time of the processor that this process has taken: what it may take does not depend on other processes.
func busy() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// literals are the versions that the chart and its values name, some of them.
func (w *witness) literals(fits func(string) bool) []string {
	found := map[string]bool{}
	for _, text := range append(texts(w.loaded), w.rel.Values...) {
		for _, name := range versionsIn(text) {
			if fits(name) && len(found) < mostLiterals {
				found[name] = true
			}
		}
	}
	return names(found)
}

// texts are the files of a chart and its subcharts, packed ones too.
func texts(c *chart.Chart) [][]byte {
	var result [][]byte
	for _, file := range c.Raw {
		if !strings.HasPrefix(file.Name, "charts/") {
			result = append(result, file.Data)
		}
	}
	for _, sub := range c.Dependencies() {
		result = append(result, texts(sub)...)
	}
	return result
}

// versionsIn are versions that a text names, each with a v in front. A chart may be megabytes with few of them.
func versionsIn(text []byte) []string {
	var found []string
	for at := 1; len(found) < mostLooked; {
		dot := bytes.IndexByte(text[min(at, len(text)):], '.')
		if dot < 0 {
			break
		}
		at += dot + 1
		if at >= len(text) || !isDigit[text[at]] || !isDigit[text[at-2]] {
			continue
		}
		begin := at - 2
		for begin > 0 && begin > at-4 && isDigit[text[begin-1]] {
			begin--
		}
		if match := version.Find(text[begin:min(begin+64, len(text))]); match != nil {
			found = append(found, "v"+string(match))
			at = begin + len(match) + 1
		}
	}
	return found
}
