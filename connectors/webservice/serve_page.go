package webservice

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// serving is the profile as its provider has it, which understands the header blocks that requests have by its templates.
func (p *Profile) serving() *Profile {
	q := *p
	q.understood = slices.Clone(p.understood)
	for _, op := range p.operations {
		if op.header == nil {
			continue
		}
		for _, n := range op.header.nodes {
			if n.name != "" {
				q.understood = append(q.understood, [2]string{n.space, n.local})
			}
		}
	}
	return &q
}

// Paths are where the profile's requests go on the provider's host, each once.
func (p *Profile) Paths() []string {
	var out []string
	for _, op := range p.operations {
		out = append(out, op.path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Session says what a login gives: none, cookie or token.
func (p *Profile) Session() string { return p.session }

// LevelWord is the provider's word for the level normal or high, the first of them by the alphabet; empty where the profile has none.
func (p *Profile) LevelWord(level string) string {
	for _, word := range sortedKeys(p.levels) {
		if p.levels[word] == level {
			return word
		}
	}
	return ""
}

// cursorPrefix begins the cursors that Page makes.
const cursorPrefix = "after-"

// Page are the values of an answer with the page of all that a request asks for: answers, more and next. An answer without pages has all. The error is
// ErrForeign where no client of the profile asks for such a page.
func (s *Server) Page(r *Request, all []Values) (Values, error) {
	op := s.Profile.operations[r.Operation]
	if op == nil || !op.many {
		return nil, ErrForeign
	}
	if op.paging == "none" {
		return Values{"answers": all}, nil
	}
	size, err := r.number("page_size", int64(s.Profile.Limits.Page))
	if err != nil || size < 1 {
		return nil, ErrForeign
	}
	from := int64(0)
	switch op.paging {
	case "number":
		from, err = r.number("page_number", op.first)
		if from -= op.first; from > int64(len(all)) {
			return nil, ErrForeign
		}
		from *= size
	case "offset":
		from, err = r.number("page_offset", op.first)
		from -= op.first
	default:
		if cursor, _ := r.Values["page_cursor"].(string); cursor != "" {
			digits, ok := strings.CutPrefix(cursor, cursorPrefix)
			if from, err = strconv.ParseInt(digits, 10, 32); !ok {
				return nil, ErrForeign
			}
		}
	}
	if err != nil || from < 0 {
		return nil, ErrForeign
	}
	begin := int(min(from, int64(len(all))))
	end := int(min(int64(begin)+size, int64(len(all))))
	v := Values{"answers": all[begin:end], "more": end < len(all)}
	if end < len(all) {
		v["next"] = cursorPrefix + strconv.Itoa(end)
	}
	return v, nil
}

// number is a value of the request; fallback where its template has no place for it.
func (r *Request) number(name string, fallback int64) (int64, error) {
	text, ok := r.Values[name].(string)
	if !ok {
		return fallback, nil
	}
	return strconv.ParseInt(text, 10, 32)
}

// Operations are all operations, in the order of work.
func Operations() []Operation {
	var out []Operation
	for _, d := range definitions {
		out = append(out, d.name)
	}
	return out
}

// OperationOf tells by the header of a request alone which operation it may ask for; empty where that cannot be told.
func (p *Profile) OperationOf(in *http.Request) Operation {
	action := strings.Trim(in.Header.Get("SOAPAction"), `"`)
	if _, parameters, err := mime.ParseMediaType(in.Header.Get("Content-Type")); err == nil && p.soap == soap12 {
		action = parameters["action"]
	}
	for _, d := range definitions {
		if op := p.operations[d.name]; op != nil && op.path == in.URL.Path && op.action == action && action != "" {
			return d.name
		}
	}
	return ""
}

// Namespace is that of the profile's version of SOAP.
func (p *Profile) Namespace() string { return p.soap }

// MediaType is that of a message without parts.
func (p *Profile) MediaType() string { return p.plain("", "").contentType }

// Answers tells whether Write can give the answer of an operation: the profile has an example of it. That of acknowledge may be empty.
func (p *Profile) Answers(op Operation) bool {
	o := p.operations[op]
	return o != nil && (o.example != nil || op == OpAcknowledge)
}

// Refuses tells whether Refuse can give a refusal of a class: the profile has a code for it, and an example of that.
func (p *Profile) Refuses(class Class) bool {
	for _, rule := range p.codes {
		for _, c := range rule.classes {
			if c == class && rule.example != nil {
				return true
			}
		}
	}
	return false
}
