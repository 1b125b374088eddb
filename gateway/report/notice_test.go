package report_test

import (
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"mime/quotedprintable"

	vocabulary "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
)

func TestNotice(t *testing.T) {
	one, _ := vocabulary.ParseAddress("postmaster@firma.example")
	two, _ := vocabulary.ParseAddress("ops@firma.example")
	text := "Für den Betrieb: <\"x\\r\\nBcc: y\"@firma.example>\n.\n" + strings.Repeat("lang ", 100) + "\n"
	env, content := report.Notice(time.Unix(0, 0).UTC(), "gw.firma.example", []vocabulary.Address{one, two}, "held\r\nBcc: eve@partner.example", text)
	if !env.From.IsNull() || !env.Internal || len(env.Recipients) != 2 || env.Recipients[1].Address != two || env.Body8Bit {
		t.Errorf("%+v", env)
	}
	r, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "Siegel <mailer-daemon@gw.firma.example>", "To": "<postmaster@firma.example>, <ops@firma.example>",
		"Auto-Submitted": "auto-generated", "Bcc": "", "Subject": "held??Bcc: eve@partner.example", "Message-Id": "<" + string(env.ID) + "@gw.firma.example>",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	got, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || strings.ReplaceAll(string(got), "\r\n", "\n") != text {
		t.Errorf("%q, %v", got, err)
	}
	for line := range strings.Lines(string(content)) {
		if !strings.HasSuffix(line, "\r\n") && line != "" && strings.Contains(line, "\n") || len(line) > 80 {
			t.Errorf("line %q", line)
		}
	}
}
