package protect

import (
	"bytes"
	"testing"

	"github.com/siegel-mail/siegel/smime/entity"
)

// What the door wrote of the origin is kept, and a doubt is shown in the subject; nobody else may write the mark.
func TestOrigin(t *testing.T) {
	for name, c := range map[string]struct{ header, origin, subject string }{
		"doubtful":    {"X-Siegel-Origin: doubtful; by=dmarc; action=mark\r\nSubject: hello\r\n", "doubtful; by=dmarc; action=mark", "[doubtful] hello"},
		"confirmed":   {"X-Siegel-Origin: confirmed; domain=partner.example\r\nSubject: [Doubtful] hello\r\n", "confirmed; domain=partner.example", "hello"},
		"unconfirmed": {"X-Siegel-Origin: unconfirmed; domain=doubtful\r\nSubject: hello\r\n", "unconfirmed; domain=doubtful", "hello"},
		"not judged":  {"Subject: hello\r\n", "", "hello"},
		"no subject":  {"X-Siegel-Origin: doubtful\r\n", "doubtful", "[doubtful]"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Marks = Marks{Doubtful: "[doubtful]"} })
			got := b.prepare(t, "Authentication-Results: gateway.firma.example; dmarc=none\r\n"+c.header+"From: bob@partner.example\r\n\r\nX-Siegel-Origin: body\r\n", false)
			h, _, err := entity.Read(bytes.NewReader(got), 0)
			if err != nil {
				t.Fatal(err)
			}
			if origin, ok := h.Get("X-Siegel-Origin"); origin != c.origin || ok != (c.origin != "") {
				t.Errorf("origin %q", origin)
			}
			if subject, _ := h.Get("Subject"); subject != c.subject {
				t.Errorf("subject %q", subject)
			}
			if len(h.Values("Authentication-Results")) != 1 {
				t.Error("the results are gone")
			}
		})
	}
}
