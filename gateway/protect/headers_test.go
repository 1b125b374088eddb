package protect

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
)

// The field names what differs, never what it says, and fits a header whatever a stranger calls his fields.
func TestHeadersField(t *testing.T) {
	long := make([]smime.HeaderDifference, 50)
	for i := range long {
		long[i] = smime.HeaderDifference{Field: strings.Repeat("x", 200) + string(rune('a'+i%26)), Kind: smime.Altered}
	}
	for want, h := range map[string]smime.HeaderReport{
		"clear; applied": {Form: smime.HeadersClear, Applied: true},
		`cipher; applied; altered="To Cc"; added="Reply-To"; removed="Sender"`: {Form: smime.HeadersCipher, Applied: true, Differences: []smime.HeaderDifference{
			{Field: "To", Kind: smime.Altered, Outer: "secret"}, {Field: "Subject", Kind: smime.Obscured, Protected: "secret"}, {Field: "Cc", Kind: smime.Altered},
			{Field: "Cc", Kind: smime.Altered}, {Field: "Reply-To", Kind: smime.Added}, {Field: "Sender", Kind: smime.Removed},
		}},
		`unknown; not applied; reason="why"`: {Reason: "why"},
	} {
		if got := headersField(&h); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := headersField(&smime.HeaderReport{Differences: long}); len(got) > maxHeaderNames*110 {
		t.Errorf("%d bytes", len(got))
	}
}
