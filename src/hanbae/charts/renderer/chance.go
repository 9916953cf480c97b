package main

import (
	"fmt"
	"reflect"
	"sort"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"

	"helm.sh/helm/v4/pkg/chart/common"
)

// chances are functions that give another result each time. What they decide cannot be tried out, so that they were
// called is noted, however they were reached: through tpl, in a packed chart, in a file that is no template.
var chances = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert",
	"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha", "randAlphaNum",
	"randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
}

// clocks take the present time for a date that is none; the number is that of the argument.
var clocks = map[string]int{"date": 1, "dateInZone": 1, "date_in_zone": 1, "htmlDate": 0, "htmlDateInZone": 0}

// costly take long and give the same each time.
var costly = []string{"derivePassword"}

// chance is what templates left to chance.
//
// Each function gives the same results, call by call, in every rendering of a release: what differs between two of
// them does not differ by chance, and a key is made once.
type chance struct {
	calls   map[string]bool
	sites   map[site]bool // where templates call them, as far as their text shows it
	helm    template.FuncMap
	order   bool // keys or values of a map with several, which come in any order
	results map[string][]result
	turns   map[string]int // how often a function was called so in this rendering
}

// result is what a function gave, or what it panicked with.
type result struct {
	values []reflect.Value
	panics any
}

func newChance() *chance {
	return &chance{
		calls: map[string]bool{}, sites: map[site]bool{}, helm: sprig.TxtFuncMap(), results: map[string][]result{},
	}
}

// functions are Helm's own, and note that they were called; they begin anew with what they gave before.
func (c *chance) functions() template.FuncMap {
	helm, result := c.helm, template.FuncMap{}
	c.turns = map[string]int{}
	for _, name := range chances {
		result[name] = c.again(name, helm[name], func() { c.calls[name] = true })
	}
	for _, name := range costly {
		result[name] = c.again(name, helm[name], func() {})
	}
	for name, index := range clocks {
		result[name] = noting(helm[name], func(arguments []reflect.Value) {
			switch arguments[index].Interface().(type) {
			case time.Time, *time.Time, int64, int, int32:
			default:
				c.calls[name] = true
			}
		})
	}
	for _, name := range []string{"keys", "values"} {
		result[name] = noting(helm[name], func([]reflect.Value) { c.order = true })
	}
	return result
}

func noting(function any, note func([]reflect.Value)) any {
	value := reflect.ValueOf(function)
	return reflect.MakeFunc(value.Type(), func(arguments []reflect.Value) []reflect.Value {
		note(arguments)
		return called(value, arguments)
	}).Interface()
}

func called(function reflect.Value, arguments []reflect.Value) []reflect.Value {
	if function.Type().IsVariadic() {
		return function.CallSlice(arguments)
	}
	return function.Call(arguments)
}

// again is a function that gives what it gave in the same call of an earlier rendering.
func (c *chance) again(name string, function any, note func()) any {
	value := reflect.ValueOf(function)
	return reflect.MakeFunc(value.Type(), func(arguments []reflect.Value) []reflect.Value {
		note()
		asked := []any{name}
		for _, each := range arguments {
			asked = append(asked, each.Interface())
		}
		key := fmt.Sprintf("%#v", asked)
		turn := c.turns[key]
		c.turns[key]++
		if turn == len(c.results[key]) {
			c.results[key] = append(c.results[key], tried(value, arguments))
		}
		given := c.results[key][turn]
		if given.panics != nil {
			panic(given.panics)
		}
		return given.values
	}).Interface()
}

func tried(function reflect.Value, arguments []reflect.Value) (given result) {
	defer func() { given.panics = recover() }()
	given.values = called(function, arguments)
	return given
}

// ordered are keys and values in the order of the keys, or in the opposite one.
func ordered(descending bool) template.FuncMap {
	sorted := func(dicts ...map[string]any) []string {
		names := []string{}
		for _, dict := range dicts {
			for name := range dict {
				names = append(names, name)
			}
		}
		sort.Slice(names, func(i, k int) bool { return (names[i] < names[k]) != descending })
		return names
	}
	values := func(dict map[string]any) []any {
		result := []any{}
		for _, name := range sorted(dict) {
			result = append(result, dict[name])
		}
		return result
	}
	return template.FuncMap{"keys": sorted, "values": values}
}

// chanced are the functions by which chance decides what is in a release; their names.
func (w *witness) chanced() []string {
	c := w.left
	if c.order && len(c.calls) == 0 {
		releases := []*sorted{}
		for _, descending := range []bool{false, true} {
			w.over = ordered(descending)
			if release, err := w.again(func(*common.Capabilities) {}); err == nil {
				releases = append(releases, release)
			}
			w.over = nil
		}
		if len(releases) == 2 && !releases[0].equal(releases[1]) {
			c.calls["keys"] = true
		}
	}
	return names(c.calls)
}
