package main

import (
	"bytes"
	"fmt"
	"path"
	"sort"
	"text/template"
	"text/template/parse"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// site is a place in a template where a function of chance was called.
type site struct {
	Function string `json:"function"`
	Template string `json:"template"`
	Line     int    `json:"line"`
}

// sited is a template in which each such place calls a function of its own, by which it is told from the others.
type sited struct {
	file   *common.File
	places map[string]site // by the function's name there
}

// placed is a template by its file and the name that Helm gives it.
type placed struct {
	file *common.File
	name string
}

// place has a chart's templates call those functions, and adds them to the ones that it is rendered with.
func (j *job) place(c *chart.Chart, functions template.FuncMap) {
	templates := make([]*common.File, len(c.Templates))
	for i, file := range c.Templates {
		templates[i] = file
		if found := j.sited(file, path.Join(c.ChartFullPath(), file.Name)); found != nil {
			templates[i] = found.file
			for name, where := range found.places {
				functions[name] = j.placing.at(where)
			}
		}
	}
	c.Templates = templates
	for _, sub := range c.Dependencies() {
		j.place(sub, functions)
	}
}

// at is a function that also notes where it is called.
func (c *chance) at(where site) any {
	return c.again(where.Function, c.helm[where.Function], func() {
		c.calls[where.Function] = true
		c.sites[where] = true
	})
}

// sited is the template; nil where no function of chance is called in it.
func (j *job) sited(file *common.File, name string) *sited {
	at := placed{file, name} // a chart of two aliases has its files once
	if known, is := j.templates[at]; is {
		return known
	}
	var found *sited
	if mayCall(file.Data) {
		found = j.locate(file, name)
	}
	j.templates[at] = found
	return found
}

func (j *job) locate(file *common.File, name string) *sited {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(string(file.Data), "{{", "}}", trees); err != nil {
		return nil // Helm says so
	}
	var calls []*parse.IdentifierNode
	seen := map[parse.Pos]bool{}
	for _, each := range trees {
		walk(each.Root, func(node *parse.IdentifierNode) {
			if isChance[node.Ident] && !seen[node.Pos] && bytes.HasPrefix(file.Data[node.Pos:], []byte(node.Ident)) {
				seen[node.Pos] = true
				calls = append(calls, node)
			}
		})
	}
	if calls == nil {
		return nil
	}
	sort.Slice(calls, func(i, k int) bool { return calls[i].Pos < calls[k].Pos })
	result := &sited{places: map[string]site{}}
	var text bytes.Buffer
	at := 0
	for _, call := range calls {
		j.numbered++
		begin := int(call.Pos)
		alias := fmt.Sprintf("%s_%d", call.Ident, j.numbered)
		result.places[alias] = site{call.Ident, name, 1 + bytes.Count(file.Data[:begin], []byte("\n"))}
		text.Write(file.Data[at:begin])
		text.WriteString(alias)
		at = begin + len(call.Ident)
	}
	text.Write(file.Data[at:])
	result.file = &common.File{Name: file.Name, ModTime: file.ModTime, Data: text.Bytes()}
	return result
}

// mayCall says whether the name of a function of chance stands somewhere in a text as a word of its own.
func mayCall(text []byte) bool {
	for _, name := range chances {
		word := []byte(name)
		for at := 0; ; {
			next := bytes.Index(text[at:], word)
			if next < 0 {
				break
			}
			begin, end := at+next, at+next+len(word)
			if begin > 0 && !isWord[text[begin-1]] && end < len(text) && !isWord[text[end]] {
				return true
			}
			at = end
		}
	}
	return false
}

// isWord are characters that no function's name ends before or after in a template.
var isWord = func() (found [256]bool) {
	for c := range found {
		found[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || bytes.IndexByte([]byte(`_-.$"/`), byte(c)) >= 0
	}
	return found
}()

var isChance = func() map[string]bool {
	found := map[string]bool{}
	for _, name := range chances {
		found[name] = true
	}
	return found
}()

// walk visits the functions that are called below a node.
func walk(node parse.Node, visit func(*parse.IdentifierNode)) {
	switch each := node.(type) {
	case *parse.ListNode:
		if each != nil {
			for _, below := range each.Nodes {
				walk(below, visit)
			}
		}
	case *parse.ActionNode:
		walk(each.Pipe, visit)
	case *parse.TemplateNode:
		walk(each.Pipe, visit)
	case *parse.IfNode:
		walkBranch(&each.BranchNode, visit)
	case *parse.RangeNode:
		walkBranch(&each.BranchNode, visit)
	case *parse.WithNode:
		walkBranch(&each.BranchNode, visit)
	case *parse.PipeNode:
		if each != nil {
			for _, command := range each.Cmds {
				for _, below := range command.Args {
					walk(below, visit)
				}
			}
		}
	case *parse.ChainNode:
		walk(each.Node, visit)
	case *parse.IdentifierNode:
		visit(each)
	}
}

func walkBranch(branch *parse.BranchNode, visit func(*parse.IdentifierNode)) {
	walk(branch.Pipe, visit)
	walk(branch.List, visit)
	walk(branch.ElseList, visit)
}

// reached are the places that were called, in order.
func (c *chance) reached() []site {
	result := []site{}
	for where := range c.sites {
		result = append(result, where)
	}
	sort.Slice(result, func(i, k int) bool {
		a, b := result[i], result[k]
		if a.Template != b.Template {
			return a.Template < b.Template
		}
		return a.Line < b.Line || a.Line == b.Line && a.Function < b.Function
	})
	return result
}
