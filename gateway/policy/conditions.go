package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Bounds of what conditions look at, so that no message makes a decision slow. What lies beyond them does not match.
const (
	maxLooked  = 16 << 10 // bytes of a subject, or of one field
	maxValues  = 100      // fields of one name
	maxTypes   = 1000     // content types
	maxPattern = 1000     // bytes of a regular expression
)

// rule is a Rule whose conditions can be tried fast.
type rule struct {
	Rule
	*layer
	subject  field
	headers  []field
	toGroups []string // folded, as groups, labels and types
	groups   []string
	labels   []string
	types    []string
}

// field is a Field that is ready.
type field struct {
	name     string
	contains string // folded
	matches  *regexp.Regexp
}

func newField(f Field) (field, error) {
	out := field{name: f.Name, contains: strings.ToLower(f.Contains)}
	if len(f.Matches) > maxPattern {
		return out, fmt.Errorf("the regular expression is longer than %d characters", maxPattern)
	}
	if f.Matches == "" {
		return out, nil
	}
	var err error
	if out.matches, err = regexp.Compile(f.Matches); err != nil {
		err = fmt.Errorf("%q is no regular expression: %w", f.Matches, err)
	}
	return out, err
}

// match reports whether a value fits; folded is the value in lower case, "" where that is still to be made.
func (f *field) match(value, folded string) bool {
	value = value[:min(len(value), maxLooked)]
	if f.contains != "" && folded == "" {
		folded = strings.ToLower(value)
	}
	return (f.contains == "" || strings.Contains(folded, f.contains)) && (f.matches == nil || f.matches.MatchString(value))
}

// in reports whether a field of a header fits.
func (f *field) in(h Header) bool {
	if h == nil {
		return false
	}
	values := h.Values(f.name)
	return slices.ContainsFunc(values[:min(len(values), maxValues)], func(v string) bool { return f.match(v, "") })
}

func folded(names []string) []string {
	if names == nil {
		return nil
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.ToLower(name)
	}
	return out
}

// fits reports whether a rule is for a message, as far as who writes it and to whom does not matter.
func (w *walk) fits(r *rule) bool {
	in := w.in
	return r.isFor(in.Kind) &&
		(r.Listeners == nil || slices.Contains(r.Listeners, in.Listener)) &&
		(r.SizeOver == 0 || in.Size > r.SizeOver) && (r.SizeUnder == 0 || in.Size < r.SizeUnder) &&
		(r.Flags == nil || slices.ContainsFunc(r.Flags, in.Flags.has)) &&
		(r.labels == nil || slices.ContainsFunc(in.Flags.Labels, func(l string) bool { return slices.Contains(r.labels, strings.ToLower(l)) })) &&
		(r.types == nil || r.isOfType(in.ContentTypes)) &&
		(r.Subject == Field{} || w.isAbout(&r.subject)) &&
		!slices.ContainsFunc(r.headers, func(f field) bool { return !f.in(in.Header) })
}

// isAbout reports whether the subject fits; of several, which programs choose from as they like, one is enough.
func (w *walk) isAbout(f *field) bool {
	if w.lines == nil {
		return f.match(w.in.Subject, w.lower)
	}
	return slices.ContainsFunc(w.lines, func(line string) bool { return f.match(line, "") })
}

func (r *rule) isOfType(types []string) bool {
	return slices.ContainsFunc(types[:min(len(types), maxTypes)], func(t string) bool {
		return slices.ContainsFunc(r.types, func(pattern string) bool {
			all, isAll := strings.CutSuffix(pattern, "*")
			return t == pattern || isAll && strings.HasPrefix(t, all)
		})
	})
}

// isFor reports whether a rule is for messages of a kind.
func (r *Rule) isFor(kind Kind) bool { return r.Kinds == nil || slices.Contains(r.Kinds, kind) }

// isFrom reports whether a rule is for a sender, as far as the address tells.
func (r *Rule) isFrom(sender mail.Address) bool { return r.From == nil || r.From.Match(sender) }

// ofSome reports whether a rule is for some senders.
func (r *Rule) ofSome() bool { return r.From != nil || r.Groups != nil }

// The flags that rules know.
const (
	flagSign      = "sign"
	flagEncrypt   = "encrypt"
	flagPlain     = "plain"
	flagNoSign    = "no_sign"
	flagNoEncrypt = "no_encrypt"
	flagTLS       = "tls"
	flagDeMail    = "de_mail"
)

// has reports whether a flag is set, by the name that rules have for it.
func (f *Flags) has(name string) bool {
	switch name {
	case flagSign:
		return f.Sign
	case flagEncrypt:
		return f.Encrypt
	case flagPlain:
		return f.Plain
	case flagNoSign:
		return f.NoSign || f.Plain
	case flagNoEncrypt:
		return f.NoEncrypt || f.Plain
	case flagTLS:
		return f.TLS != mail.TLSAsRouted
	case flagDeMail:
		return f.DeMail != DeMailFlags{}
	}
	return false
}

// isFlag reports whether rules know a flag of a name.
func isFlag(name string) bool {
	return slices.Contains([]string{flagSign, flagEncrypt, flagPlain, flagNoSign, flagNoEncrypt, flagTLS, flagDeMail}, name)
}

// contains reports whether a name is among others; case does not matter.
func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// join adds what is not there yet.
func join(names, more []string) []string {
	for _, name := range more {
		if !contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
