package explain_test

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/siegel-mail/siegel/gateway/explain"
)

// A question that is taken makes a message that is as large as it says, with one From field at most more than it had.
func FuzzRead(f *testing.F) {
	for _, q := range []explain.Question{
		{From: "alice@firma.example", To: []string{"bob@partner.example"}, Subject: "[encrypt] Grüße", Header: []string{"X-Siegel-Sign: yes"}, Size: 2000},
		{Message: []byte("From: a@b.example\r\nTo: c@d.example\r\n\r\nx")}, {Message: []byte("To: \"\r\n\r\n"), To: []string{"b@c.example"}}, {To: []string{`"a b"@c.example`}, Header: []string{": "}},
	} {
		text, err := json.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var q explain.Question
		if json.Unmarshal(text, &q) != nil {
			return
		}
		q.Size = min(q.Size, 1<<20)
		m, err := q.Read()
		if err != nil {
			return
		}
		r, err := m.Content().Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if n, err := io.Copy(io.Discard, r); err != nil || n != m.Content().Size() || n < q.Size {
			t.Errorf("%d bytes, %d are said, %d are wanted, %v", n, m.Content().Size(), q.Size, err)
		}
		if len(m.To) == 0 || len(m.To) > explain.MaxRecipients {
			t.Errorf("%d recipients", len(m.To))
		}
	})
}
