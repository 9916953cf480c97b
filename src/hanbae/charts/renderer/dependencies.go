package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/Masterminds/semver/v3"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

const (
	// unpacked is how many bytes an archive may be, headers included: Helm allows its files 100 MiB.
	unpacked = 128 << 20
	// members of an archive; one of nothing but empty files would fit in few bytes.
	members = 20_000
)

// question is about dependencies; hanbae/charts/choosing.py says what each field means.
type question struct {
	Wishes  []wish `json:"wishes"`
	Archive bool   `json:"archive"`
}

// wish is a version that is wanted of those that there are.
type wish struct {
	Version  string   `json:"version"`
	Locked   bool     `json:"locked"`
	Tags     bool     `json:"tags"`
	Versions []string `json:"versions"`
}

// choice is the index of a version, or why there is none.
type choice struct {
	Index   int    `json:"index"`
	Version string `json:"version"`
	Error   string `json:"error"`
}

// packed is what an archive says that it is, or why it is no chart.
type packed struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Error   string `json:"error"`
}

func (q *question) answer(content [][]byte) []byte {
	reply := struct {
		Choices []choice `json:"choices"`
		Chart   *packed  `json:"chart,omitempty"`
	}{Choices: []choice{}}
	for _, each := range q.Wishes {
		reply.Choices = append(reply.Choices, each.choose())
	}
	if q.Archive {
		reply.Chart = &packed{Error: "no archive"}
		if len(content) == 1 {
			reply.Chart = unpack(content[0])
		}
	}
	var out bytes.Buffer
	put(&out, reply)
	return out.Bytes()
}

// choose takes the version that Helm's resolver takes, or finds the one that a lock names.
func (w *wish) choose() choice {
	parsed := make([]*semver.Version, len(w.Versions))
	order := make([]int, len(w.Versions))
	for i, text := range w.Versions {
		order[i] = i
		parsed[i] = w.parse(text)
		if w.Locked && text == w.Version {
			return choice{Index: i, Version: text}
		}
	}
	sort.SliceStable(order, func(i, k int) bool {
		a, b := parsed[order[i]], parsed[order[k]]
		return a != nil && (b == nil || a.GreaterThan(b))
	})
	fits, err := w.test()
	if err != nil {
		return choice{Index: -1, Error: err.Error()}
	}
	for _, i := range order {
		if parsed[i] != nil && fits(parsed[i]) {
			return choice{Index: i, Version: parsed[i].Original()}
		}
	}
	return choice{Index: -1}
}

func (w *wish) test() (func(*semver.Version) bool, error) {
	if w.Locked {
		locked, err := semver.NewVersion(w.Version)
		if err != nil {
			return nil, err
		}
		return locked.Equal, nil
	}
	constraint, err := semver.NewConstraint(w.Version)
	if err != nil {
		return nil, err
	}
	return constraint.Check, nil
}

// parse is a version, or nil where there is none; a tag cannot have the plus that a version may have.
func (w *wish) parse(text string) *semver.Version {
	var version *semver.Version
	var err error
	if w.Tags {
		version, err = semver.StrictNewVersion(strings.ReplaceAll(text, "_", "+"))
	} else {
		version, err = semver.NewVersion(text)
	}
	if err != nil {
		return nil
	}
	return version
}

func unpack(data []byte) *packed {
	if err := boundedArchive(data); err != nil {
		return &packed{Error: err.Error()}
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
	if err == nil {
		err = boundedFiles(files, packs)
	}
	if err != nil {
		return &packed{Error: err.Error()}
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return &packed{Error: err.Error()}
	}
	return &packed{Name: c.Metadata.Name, Version: c.Metadata.Version}
}

// boundedArchive refuses what is larger than a chart may be before anything of it is kept.
func boundedArchive(data []byte) error {
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer plain.Close()
	left := &io.LimitedReader{R: plain, N: unpacked + 1}
	count := 0
	for archive := tar.NewReader(left); ; count++ {
		_, err := archive.Next()
		switch {
		case left.N <= 0:
			return fmt.Errorf("unpacked it is larger than %d bytes", unpacked)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case count >= members:
			return fmt.Errorf("it has more than %d members", members)
		}
	}
}
