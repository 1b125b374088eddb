package policy

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/purview"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Sensitivity is a value of the field Sensitivity (RFC 2156, 5.3.4).
type Sensitivity string

// The values of Sensitivity.
const (
	Personal            Sensitivity = "personal"
	Private             Sensitivity = "private"
	CompanyConfidential Sensitivity = "company-confidential"
)

// Label is a name for what a sender, or the sender's program, has classified. A message bears it where one of what it lists is there.
type Label struct {
	Name           string
	Sensitivity    []Sensitivity  // of the field Sensitivity
	Classification []string       // of X-Microsoft-Classification, or a GUID of X-Microsoft-ClassID; case does not matter
	Purview        []PurviewLabel // of msip_labels, and of the single fields of Microsoft's programs
	Header         []string       // "Name: value"; case does not matter; a value that ends with * stands for all that begin so
}

// PurviewLabel is a sensitivity label of a tenant. The GUIDs of labels that Microsoft made for everybody are the same in many.
type PurviewLabel struct{ Label, Tenant purview.GUID }

// maxValue is how much of a field is read for a label.
const maxValue = 4 << 10

// ReadLabels returns the names of the labels that a header bears, in their order, and what was read, for the record: words of the
// configuration and of this package. It believes the header, whoever wrote it.
func ReadLabels(h entity.Header, labels []Label) (names, words []string) {
	c := classify(h)
	words = c.sensitivities()
	for _, l := range labels {
		by := c.bears(l)
		if len(by) == 0 {
			continue
		}
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
		for _, w := range by {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	return names, words
}

// classified is what a header says about how its message is classified.
type classified struct {
	header      entity.Header
	sensitivity []Sensitivity
	texts       []string       // of X-Microsoft-Classification, as plain has them
	ids         []purview.GUID // of X-Microsoft-ClassID
	purview     purview.Labels
}

func classify(h entity.Header) (c classified) {
	c.header = h
	for _, f := range h.Fields() {
		switch {
		case f.Is("Sensitivity"):
			if s := sensitivityNamed(sensitivity(value(f))); s != "" {
				c.sensitivity = append(c.sensitivity, s)
			}
		case f.Is("X-Microsoft-Classification"):
			c.texts = append(c.texts, plain(value(f)))
		case f.Is("X-Microsoft-ClassID"):
			if id, err := purview.ParseGUID(value(f)); err == nil {
				c.ids = append(c.ids, id)
			}
		default:
			c.purview.Add(f.Name, f.Value())
		}
	}
	// MS-OXCMAIL 2.2.3.2.22: the other fields mean nothing where this one says so.
	if said, ok := h.Get("X-Microsoft-Classified"); ok {
		if yes, known := yesOrNo(said); known && !yes {
			c.texts, c.ids = nil, nil
		}
	}
	return c
}

// value is what a field says, decoded.
func value(f entity.Field) string {
	v := f.Value()
	return encword.Parse(v[:min(len(v), maxValue)]).String()
}

// sensitivityNamed finds the value that a text of [sensitivity] is; empty where it is none.
func sensitivityNamed(text string) Sensitivity {
	for _, s := range []Sensitivity{Personal, Private, CompanyConfidential} {
		if sensitivity(string(s)) == text {
			return s
		}
	}
	return ""
}

// spelled is a sensitivity as RFC 2156 writes it.
func (s Sensitivity) spelled() string {
	switch s {
	case Personal:
		return "Personal"
	case Private:
		return "Private"
	}
	return "Company-Confidential"
}

// sensitivities are the words for what the field says.
func (c classified) sensitivities() (words []string) {
	for _, s := range c.sensitivity {
		if w := "Sensitivity " + s.spelled(); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

// bears returns by what a message bears a label; nothing where it does not.
func (c classified) bears(l Label) (by []string) {
	for _, s := range l.Sensitivity {
		if slices.Contains(c.sensitivity, s) {
			by = append(by, "Sensitivity "+s.spelled())
		}
	}
	for _, text := range l.Classification {
		if id, err := purview.ParseGUID(text); err == nil && slices.Contains(c.ids, id) {
			by = append(by, "X-Microsoft-ClassID "+string(id))
		} else if slices.Contains(c.texts, plain(text)) {
			by = append(by, "X-Microsoft-Classification "+text)
		}
	}
	for _, p := range l.Purview {
		if c.purview.Has(p.Label, p.Tenant) {
			by = append(by, "Purview label "+string(p.Label))
		}
	}
	for _, text := range l.Header {
		if c.has(text) {
			by = append(by, text)
		}
	}
	return by
}

// has reports whether a field is there with a value, both in one text.
func (c classified) has(text string) bool {
	name, wanted, _ := strings.Cut(text, ":")
	wanted, begins := strings.CutSuffix(strings.TrimSpace(wanted), "*")
	wanted = plain(wanted)
	for _, f := range c.header.Fields() {
		if !f.Is(strings.TrimSpace(name)) {
			continue
		}
		if said := plain(value(f)); said == wanted || begins && strings.HasPrefix(said, wanted) {
			return true
		}
	}
	return false
}
