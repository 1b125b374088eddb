package purview

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/encword"
)

// The bounds of what is read of one header.
const (
	maxLabels = 32       // of which a message bears one of each tenant that it went through
	maxSites  = 4        // of one label
	maxValue  = 64 << 10 // of a field
)

// prefix begins the names of what is said about a label: MSIP_Label_GUID_Attribute.
const prefix = "msip_label_"

// Labels are the sensitivity labels of one message. The zero Labels are none and ready for use.
type Labels struct {
	found []found
}

type found struct {
	id      GUID
	enabled bool   // what is not does not count, and stays in the header where a label was replaced
	sites   []GUID // the tenants it is of
}

// Add reads a field of a header, whatever its name: what says nothing of labels is passed over. The value may be folded, and be in encoded
// words (RFC 2047). The field msip_labels has everything, in any order, of any number of labels:
//
//	MSIP_Label_GUID_Enabled=true; MSIP_Label_GUID_SiteId=GUID; MSIP_Label_GUID_Name=Secret
//
// while a field like msip_label_guid_enabled has one thing. What cannot be read is passed over.
func (l *Labels) Add(name, value string) {
	if !hasPrefix(name, "msip_label") {
		return
	}
	value = encword.Parse(value[:min(len(value), maxValue)]).String()
	if !strings.EqualFold(name, "msip_labels") {
		l.take(name, value)
		return
	}
	for part := range strings.SplitSeq(value, ";") {
		if key, said, ok := strings.Cut(part, "="); ok {
			l.take(key, said)
		}
	}
}

// take reads one thing that is said of a label.
func (l *Labels) take(key, value string) {
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !hasPrefix(key, prefix) {
		return
	}
	key = key[len(prefix):]
	if len(key) <= guidLength || key[guidLength] != '_' || !isGUID(key[:guidLength]) {
		return
	}
	id, attribute := GUID(strings.ToLower(key[:guidLength])), key[guidLength+1:]
	switch {
	case strings.EqualFold(attribute, "Enabled"):
		if f := l.of(id); f != nil && strings.EqualFold(value, "true") {
			f.enabled = true
		}
	case strings.EqualFold(attribute, "SiteId"):
		site, err := ParseGUID(value)
		if f := l.of(id); f != nil && err == nil && len(f.sites) < maxSites {
			f.sites = append(f.sites, site)
		}
	}
}

// of is what was found of a label; nil where there are too many.
func (l *Labels) of(id GUID) *found {
	for i := range l.found {
		if l.found[i].id == id {
			return &l.found[i]
		}
	}
	if len(l.found) >= maxLabels {
		return nil
	}
	l.found = append(l.found, found{id: id})
	return &l.found[len(l.found)-1]
}

// Has reports whether the message bears a label of a tenant.
func (l Labels) Has(label, tenant GUID) bool {
	for _, f := range l.found {
		if f.id == label {
			return f.enabled && slices.Contains(f.sites, tenant)
		}
	}
	return false
}

func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
