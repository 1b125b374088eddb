package explain_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/explain"
)

func read(t *testing.T, q explain.Question) (explain.Message, string) {
	t.Helper()
	m, err := q.Read()
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Content().Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != m.Content().Size() {
		t.Errorf("it says %d bytes and has %d", m.Content().Size(), len(b))
	}
	return m, string(b)
}

func TestRead(t *testing.T) {
	m, text := read(t, explain.Question{
		From: "alice@firma.example", To: []string{"bob@partner.example", "carol@partner.example"}, Cc: []string{"dora@other.example"}, Bcc: []string{"eve@firma.example"},
		Subject: "[encrypt] Grüße", Header: []string{"X-Siegel-Sign: yes", "Sensitivity:Private"}, Size: 3000,
	})
	want := "From: alice@firma.example\r\nTo: bob@partner.example, carol@partner.example\r\nCc: dora@other.example\r\nSubject: =?utf-8?q?[encrypt]_Gr=C3=BC=C3=9Fe?=\r\n" +
		"X-Siegel-Sign: yes\r\nSensitivity: Private\r\n\r\nText.\r\nfill"
	if !strings.HasPrefix(strings.ToLower(text), strings.ToLower(want)) || len(text) != 3000 {
		t.Errorf("%d bytes:\n%.400s", len(text), text)
	}
	if len(m.To) != 4 || m.To[3].String() != "eve@firma.example" || m.From.String() != "alice@firma.example" {
		t.Errorf("%+v", m)
	}
}

// A whole message keeps its header; the question goes before it in the envelope alone.
func TestReadGiven(t *testing.T) {
	whole := "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nBcc: carol@partner.example\r\nSubject: before\r\n\r\nbody\r\n"
	m, text := read(t, explain.Question{Message: []byte(whole)})
	if m.From.String() != "alice@firma.example" || len(m.To) != 2 || text != whole {
		t.Errorf("%v to %v:\n%s", m.From, m.To, text)
	}
	m, text = read(t, explain.Question{Message: []byte(whole), From: "eve@firma.example", To: []string{"dora@other.example"}, Subject: "after"})
	if m.From.String() != "eve@firma.example" || len(m.To) != 1 || !strings.Contains(text, "From: Alice") || strings.Contains(text, "before") || !strings.Contains(text, "Subject: after\r\n\r\nbody") {
		t.Errorf("%v to %v:\n%s", m.From, m.To, text)
	}
}

// The message is whole as long as nothing was put into it.
func TestReadWhole(t *testing.T) {
	whole := []byte("From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\n\r\nbody\r\n")
	for _, c := range []struct {
		q     explain.Question
		whole bool
	}{
		{explain.Question{Message: whole, Client: "::ffff:192.0.2.1", Helo: "mx.partner.example"}, true},
		{explain.Question{Message: whole, Size: 10, To: []string{"dora@other.example"}}, true},
		{explain.Question{Message: whole, Size: 10_000}, false}, {explain.Question{Message: whole, Subject: "x"}, false},
		{explain.Question{Message: whole, Header: []string{"X-Other: 1"}}, false}, {explain.Question{To: []string{"dora@other.example"}}, false},
	} {
		m, _ := read(t, c.q)
		if m.Whole != c.whole || m.Client.IsValid() != (c.q.Client != "") || m.Client.IsValid() && (m.Client.String() != "192.0.2.1" || m.Helo != "mx.partner.example") {
			t.Errorf("%+v: whole %t, client %s (%s)", c.q, m.Whole, m.Client, m.Helo)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	to := []string{"bob@partner.example"}
	for name, q := range map[string]explain.Question{
		"nobody":            {From: "alice@firma.example"},
		"no address":        {From: "alice", To: to},
		"no recipient":      {To: []string{"<bob@partner.example>"}},
		"no field":          {To: to, Header: []string{"X-Siegel-Sign"}},
		"a line in a field": {To: to, Header: []string{"X-Siegel-Sign: yes\r\nX-Other: yes"}},
		"a line in between": {To: to, Subject: "one\r\nBcc: carol@partner.example"},
		"too many":          {To: make([]string, explain.MaxRecipients+1)},
		"too many fields":   {To: to, Header: make([]string, explain.MaxFields+1)},
		"a long subject":    {To: to, Subject: strings.Repeat("a ", explain.MaxField)},
		"a long field":      {To: to, Header: []string{strings.Repeat("a", explain.MaxField+1)}},
		"a negative size":   {To: to, Size: -1},
		"too large":         {To: to, Size: explain.MaxSize + 1},
		"a large message":   {To: to, Message: make([]byte, explain.MaxMessage+1)},
		"no client":         {To: to, Client: "mx.partner.example"},
		"a zone":            {To: to, Client: "fe80::1%eth0"},
		"a long name":       {To: to, Client: "192.0.2.1", Helo: strings.Repeat("a", 256)},
	} {
		if m, err := q.Read(); !errors.Is(err, explain.ErrQuestion) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}
