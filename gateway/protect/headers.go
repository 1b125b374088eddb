package protect

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime"
)

// maxHeaderNames is how many fields X-Siegel-Headers names.
const maxHeaderNames = 20

// headersField says in one line what became of header fields that are protected along with the content: the form,
// whether they are those of the delivered header, and which ones said something else outside, whatever their
// author wanted. It quotes no value.
func headersField(h *smime.HeaderReport) string {
	form := h.Form
	if form == "" {
		form = "unknown"
	}
	parts := []string{form, "applied"}
	if !h.Applied {
		parts = []string{form, "not applied", "reason=" + quote(h.Reason)}
	}
	for _, kind := range []string{smime.Altered, smime.Added, smime.Removed} {
		var names []string
		for _, d := range h.Differences {
			if name := word(d.Field); d.Kind == kind && !slices.Contains(names, name) && len(names) < maxHeaderNames {
				names = append(names, name)
			}
		}
		if names != nil {
			parts = append(parts, kind+"="+quote(strings.Join(names, " ")))
		}
	}
	return strings.Join(parts, "; ")
}
