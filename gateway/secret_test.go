package gateway_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// text is a message in memory.
type text string

func (m text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m))), nil }
func (m text) Size() int64                  { return int64(len(m)) }

// Whether the company's server takes what was encrypted is not told to its sender: by such answers, one for
// each altered copy, a stranger could have a message decrypted (invariant 7).
func TestNoOracle(t *testing.T) {
	m := letter("bob@partner.example", "alice@firma.example", "X-Kind: unwanted\r\n")
	for name, c := range map[string]struct {
		encrypted bool
		told      bool
	}{"plain": {false, true}, "encrypted": {true, false}} {
		t.Run(name, func(t *testing.T) {
			s, m := newSetting(t), m
			if c.encrypted {
				var out bytes.Buffer
				if err := smime.Protect(&out, text(m), smime.ProtectOptions{
					EncryptTo: []cms.Recipient{{Certificate: s.identity["alice@firma.example"].Certificate}},
				}); err != nil {
					t.Fatal(err)
				}
				m = out.String()
			}
			g, stop := s.start(t)
			if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", m); !r.Positive() {
				t.Fatal(r)
			}
			s.hop.wait(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			e, err := s.events.Wait(ctx, func(e track.Event) bool { return e.Kind == track.Failed || e.Kind == track.Held })
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(e.Reply, "unwanted content") || !e.Next.IsZero() {
				t.Errorf("the operator sees %+v", e)
			}
			stop()
			reports := 0
			for _, e := range s.events.Events() {
				if e.Kind == track.Reported {
					reports++
				}
			}
			if (reports == 1) != c.told || (e.Kind == track.Failed) != c.told {
				t.Errorf("%s, %d reports", e.Kind, reports)
			}
		})
	}
}
