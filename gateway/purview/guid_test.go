package purview_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/purview"
)

func TestParseGUID(t *testing.T) {
	const want = "f42aa342-8706-4288-bd11-ebb85995028c"
	for _, s := range []string{want, strings.ToUpper(want), "{" + want + "}", " " + want + "\t"} {
		if got, err := purview.ParseGUID(s); err != nil || got != want {
			t.Errorf("%q is %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", want[1:], want + "0", strings.ReplaceAll(want, "-", ""), strings.Replace(want, "f", "g", 1), strings.Replace(want, "-", "0", 1), want[:35] + "-"} {
		if got, err := purview.ParseGUID(s); err == nil || got != "" {
			t.Errorf("%q is %q", s, got)
		}
	}
}
