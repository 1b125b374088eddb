package webservice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *yamlReader) errors(p *Profile, n *yaml.Node) {
	in := r.section(n, "errors", "statuses", "codes")
	p.statuses = map[int]Class{}
	for name, value := range r.section(in["statuses"], "errors.statuses") {
		key := "errors.statuses." + shorten(name)
		status, err := strconv.Atoi(name)
		if err != nil || status < 300 || status > 599 {
			r.fail(value, key, "this must be an HTTP status from 300 to 599")
		}
		p.statuses[status] = Class(r.choice(value, key, words(classes)...))
	}
	if in["codes"] == nil {
		return
	}
	if in["codes"].Kind != yaml.SequenceNode || !r.plain(in["codes"], "errors.codes") {
		r.fail(in["codes"], "errors.codes", `this must be a list: begin each entry with "- " and indent the rest of it`)
		return
	}
	for i, entry := range in["codes"].Content {
		p.codes = append(p.codes, r.codeRule(entry, fmt.Sprintf("errors.codes[%d]", i+1)))
	}
}

func words(list []Class) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = string(c)
	}
	return out
}

func (r *yamlReader) codeRule(n *yaml.Node, key string) codeRule {
	in := r.section(n, key, "at", "addresses", "good", "classes", "other", "example")
	if in["at"] == nil {
		r.fail(n, key+".at", "this key is missing; give the XPath of the code")
	}
	rule := codeRule{at: r.path(in["at"], key+".at"), about: r.path(in["addresses"], key+".addresses"), good: r.list(in["good"], key+".good"), classes: map[string]Class{}}
	if in["other"] != nil {
		rule.other = Class(r.choice(in["other"], key+".other", words(classes)...))
	}
	for name, value := range r.section(in["classes"], key+".classes", words(classes)...) {
		for _, code := range r.list(value, key+".classes."+name) {
			if other, taken := rule.classes[code]; taken || slices.Contains(rule.good, code) {
				r.fail(value, key+".classes."+name, "the code %s is listed twice (%s)", shorten(code), other)
			}
			rule.classes[code] = Class(name)
		}
	}
	rule.example = r.template(in["example"], key+".example", map[string]kind{"code": textKind, "addresses": listKind}, nil)
	return rule
}

func (r *yamlReader) levels(p *Profile, n *yaml.Node) {
	p.levels = map[string]string{}
	for level, value := range r.section(n, "levels", "normal", "high") {
		for _, word := range r.list(value, "levels."+level) {
			if _, taken := p.levels[word]; taken {
				r.fail(value, "levels."+level, "%s is listed twice", shorten(word))
			}
			p.levels[word] = level
		}
	}
}

func (r *yamlReader) operations(p *Profile, root, n *yaml.Node, header *template) {
	var names []string
	for _, d := range definitions {
		names = append(names, string(d.name))
	}
	if n == nil {
		r.fail(root, "operations", "this key is missing; add it")
		return
	}
	in := r.section(n, "operations", names...)
	p.operations = map[Operation]*operation{}
	for _, d := range definitions {
		value := in[string(d.name)]
		key := "operations." + string(d.name)
		switch {
		case value != nil:
			p.operations[d.name] = r.operation(p, d, value, header, key)
		case d.must:
			r.fail(n, key, "this operation is missing; add it")
		}
	}
	if login := in["login"]; (p.session != "none") != (login != nil) {
		r.fail(n, "operations.login", "a login and sessions belong together: give both, or neither")
	}
}

func (r *yamlReader) operation(p *Profile, d definition, n *yaml.Node, header *template, key string) *operation {
	in := r.section(n, key, "path", "action", "header", "request", "answer", "paging", "example")
	op := &operation{definition: d, path: p.path, action: r.text(in["action"], key+".action"), paging: "none"}
	if in["path"] != nil {
		op.path = r.urlPath(in["path"], key+".path")
	}
	if op.path == "" {
		r.fail(n, key+".path", "neither the operation nor the profile has a path; add one")
	}
	if strings.ContainsFunc(op.action, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' }) {
		r.fail(in["action"], key+".action", "this must be a URI without quotes and spaces")
	}
	r.requestOf(op, in, n, header, key)
	if op.name == OpSubmit && op.request != nil && !p.keyField && !op.request.holds("key") {
		r.fail(in["request"], key+".request", "the key has no place; write ${key} where the provider takes the sender's own identifier, or set private_id: header")
	}
	r.answer(p, op, in["answer"], n, key)
	r.paging(op, in["paging"], key)
	if in["example"] != nil {
		op.example = r.template(in["example"], key+".example", d.example(), d.fields)
	}
	return op
}

// requestOf reads the templates of an operation.
func (r *yamlReader) requestOf(op *operation, in map[string]*yaml.Node, n *yaml.Node, header *template, key string) {
	if in["request"] == nil {
		r.fail(n, key+".request", "this key is missing; give the content of the SOAP body")
	}
	op.request = r.template(in["request"], key+".request", op.all(), nil)
	if content := op.content(); op.request != nil && content != "" && !op.request.holds(content) {
		r.fail(in["request"], key+".request", "the message has no place; write ${%s} into the element that holds it", content)
	}
	if in["header"] == nil {
		op.header = header
		return
	}
	variables := op.all()
	delete(variables, op.content())
	op.header = r.template(in["header"], key+".header", variables, nil)
}

// answer reads where the values stand.
func (r *yamlReader) answer(p *Profile, op *operation, n, around *yaml.Node, key string) {
	names := []string{"root", "each"}
	names = append(names, sortedKeys(op.definition.fields)...)
	if n == nil {
		r.fail(around, key+".answer", "this key is missing; give at least root, the element of the answer")
		return
	}
	in := r.section(n, key+".answer", names...)
	if in["root"] == nil {
		r.fail(n, key+".answer.root", "this key is missing; give the XPath of the element that the SOAP body of the answer holds")
	}
	op.root, op.each = r.path(in["root"], key+".answer.root"), r.path(in["each"], key+".answer.each")
	if op.many != (in["each"] != nil) {
		r.fail(n, key+".answer.each", "an answer that may hold several needs each, the XPath of one of them; no other may have it")
	}
	op.fields = map[string]*path{}
	for f, need := range op.definition.fields {
		if in[f] != nil {
			op.fields[f] = r.path(in[f], key+".answer."+f)
		} else if need == must || p.session == "token" && op.name == OpLogin {
			r.fail(n, key+".answer."+f, "this key is missing; give its XPath")
		}
	}
}

func (r *yamlReader) paging(op *operation, n *yaml.Node, key string) {
	if n == nil {
		return
	}
	key += ".paging"
	in := r.section(n, key, "by", "first", "more", "next")
	if !op.many {
		r.fail(n, key, "this operation has one answer, and no pages")
	}
	op.paging = r.choice(in["by"], key+".by", "number", "offset", "cursor")
	op.first = r.number(in["first"], key+".first", map[string]int64{"number": 1}[op.paging], 0, 1)
	op.more, op.next = r.path(in["more"], key+".more"), r.path(in["next"], key+".next")
	if (op.paging == "cursor") != (in["next"] != nil) || (op.paging == "cursor") == (in["more"] != nil) {
		r.fail(n, key, "by cursor needs next, the XPath of the cursor; by number or offset needs more, an XPath that is true where there are more pages")
	}
}

// sortedKeys are the keys of a map in order.
func sortedKeys(m map[string]string) []string { return prefixes(m) }
