package survey_test

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/survey"
)

func TestParseATR(t *testing.T) {
	for name, c := range map[string]struct {
		atr, protocols, text, problem string
	}{
		"YubiKey 5":         {"3bfd1300008131fe158073c021c057597562694b657940", "T=1", "s.!.WYubiKey", ""},
		"NetKey":            {"3bbf96008131fe5d00640411030131c073f701d00090007d", "T=1", "d....1.s", ""},
		"T=0 by default":    {"3b02414b", "T=0", "", ""},
		"two protocols":     {"3b8080015445", "T=0 T=1", "", ""},
		"global octets":     {"3b80801f00", "T=0", "", ""},
		"nothing":           {"", "", "", "it does not begin"},
		"not an ATR":        {"4142", "", "", "it does not begin"},
		"inverse":           {"3f00", "T=0", "", ""},
		"cut in interface":  {"3bf0", "", "", "within its interface octets"},
		"cut in historical": {"3b0fab", "T=0", "", "within its historical octets"},
		"too long":          {"3b00" + strings.Repeat("00", 32), "", "", "34 octets"},
	} {
		b, err := hex.DecodeString(c.atr)
		if err != nil {
			t.Fatal(err)
		}
		got := survey.ParseATR(b)
		if strings.Join(got.Protocols, " ") != c.protocols || got.Text != c.text || (got.Problem == "") != (c.problem == "") || !strings.Contains(got.Problem, c.problem) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzParseATR(f *testing.F) {
	for _, s := range []string{"3bfd1300008131fe158073c021c057597562694b657940", "3b02414b", "3bf0", "3b8080015445", ""} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a := survey.ParseATR(b)
		if len(a.Hex) > 66 || len(a.Historical) > 30 || len(a.Text) > 15 || len(a.Protocols) > 15 {
			t.Errorf("%+v", a)
		}
		if a.Problem == "" && len(a.Protocols) == 0 {
			t.Errorf("no protocol: %+v", a)
		}
		if !reflect.DeepEqual(a, survey.ParseATR(b)) {
			t.Error("not the same twice")
		}
	})
}
