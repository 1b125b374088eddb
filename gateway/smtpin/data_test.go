package smtpin_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// opening is a transaction up to its message, all of it sent at once (RFC 2920).
const opening = "EHLO c\r\nMAIL FROM:<eve@partner.example>\r\nRCPT TO:<alice@firma.example>\r\n"

// answers are the replies after those to opening: of each its last line.
func answers(t *testing.T, replies []byte) (out []string) {
	t.Helper()
	for line := range strings.Lines(string(replies)) {
		if len(line) > 3 && line[3] == ' ' {
			out = append(out, strings.TrimSuffix(line, "\r\n"))
		}
	}
	const opened = 4 // greeting, EHLO, MAIL, RCPT
	if len(out) < opened {
		t.Fatalf("replies %q", replies)
	}
	return out[opened:]
}

func (s *sink) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.events = nil, nil
}

// However the octets are cut into packets, and with everything sent ahead: none of the published ends is one.
func TestSmugglingInPieces(t *testing.T) {
	h := &sink{}
	s, err := smtpin.New(options(t, h, listener(smtpin.External, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range almostEnds {
		content := "From: eve@partner.example\r\n\r\nx" + seq + smuggled
		for step := 1; step <= 9; step++ {
			for _, wire := range []string{"DATA\r\n" + content, fmt.Sprintf("BDAT %d LAST\r\n%sNOOP\r\n", len(content), content)} {
				h.forget()
				got := answers(t, converse(s, []byte(opening+wire), step))
				want := []string{"354 ", "554 5.5.2 "}
				if wire[0] == 'B' {
					want = []string{"554 5.5.2 ", "250 2.0.0 "}
				}
				if len(got) != 2 || !strings.HasPrefix(got[0], want[0]) || !strings.HasPrefix(got[1], want[1]) {
					t.Fatalf("%.20q, %d octets at a time: %q", wire, step, got)
				}
				if len(h.messages()) != 0 {
					t.Fatalf("%.20q, %d octets at a time: accepted", wire, step)
				}
			}
		}
	}
}

// FuzzDataIsData sends anything as a message. As long as CRLF.CRLF is not in it, or the octets that were announced have
// not come, nothing of it is a command: there is one answer at most, and it is no success.
func FuzzDataIsData(f *testing.F) {
	for _, seq := range almostEnds {
		f.Add([]byte("x"+seq+smuggled), 3)
	}
	f.Add([]byte("RSET\r\nMAIL FROM:<>\r\n"), 1)
	h := &sink{}
	o := options(f, h, listener(smtpin.External, nil))
	o.Listeners[0].MaxSize = 20_000
	s, err := smtpin.New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte, step int) {
		h.forget()
		framed := append([]byte("\r\n"), content...)
		if !bytes.Contains(framed, []byte("\r\n.\r\n")) {
			got := answers(t, converse(s, append([]byte(opening+"DATA\r\n"), content...), step))
			if len(got) == 0 || len(got) > 2 || len(got) == 2 && got[1][0] == '2' || len(h.messages()) != 0 {
				t.Errorf("DATA %q: %q, %d messages", content, got, len(h.messages()))
			}
		}
		wire := fmt.Appendf([]byte(opening), "BDAT %d LAST\r\n%sNOOP\r\n", len(content), content)
		got := answers(t, converse(s, wire, step))
		if len(got) != 2 && (len(got) != 1 || len(content) < 40_000) || len(got) == 2 && !strings.HasPrefix(got[1], "250 2.0.0 ") {
			t.Errorf("BDAT %q: %q", content, got)
		}
		for _, m := range h.messages() {
			if m.env.From.String() != "eve@partner.example" || len(m.env.Recipients) != 1 {
				t.Errorf("%q: %+v", content, m.env)
			}
		}
		h.forget()
		cut := fmt.Appendf([]byte(opening), "BDAT %d LAST\r\n%s", len(content)+1, content)
		if got := answers(t, converse(s, cut, step)); len(got) > 1 || len(h.messages()) != 0 {
			t.Errorf("BDAT cut short %q: %q, %d messages", content, got, len(h.messages()))
		}
	})
}
