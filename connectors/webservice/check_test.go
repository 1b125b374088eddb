package webservice

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// shipped are the profiles of configs.
var shipped = []string{"t-systems", "mentana"}

// shippedText reads one.
func shippedText(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "connectors", name+".yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// load reads a profile that must be good.
func load(tb testing.TB, text string) *Profile {
	tb.Helper()
	p, err := Load(strings.NewReader(text), "test.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func newSpool(tb testing.TB) *atrest.Spool {
	tb.Helper()
	s, err := atrest.NewSpool(tb.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// The shipped profiles load, say what they are, and read their own examples.
func TestShippedProfiles(t *testing.T) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			text := shippedText(t, name)
			head, _, _ := strings.Cut(text, "\nname:")
			for _, want := range []string{"modelled on the operations that the public record names", "not on the", "provider's document", "tried against no real provider"} {
				if !strings.Contains(head, want) {
					t.Errorf("the first lines do not say %q", want)
				}
			}
			p := load(t, text)
			if p.Name != name {
				t.Errorf("its name is %s", p.Name)
			}
			rendered, err := p.Check()
			if err != nil {
				t.Fatal(err)
			}
			if want := len(definitions); name == "mentana" && len(rendered) != want || len(rendered) < want-1 {
				t.Errorf("%d requests of %d", len(rendered), want)
			}
			for _, r := range rendered {
				if r.Err != nil || r.Example == "" && r.Operation != OpAcknowledge {
					t.Errorf("%s: example %q, %v", r.Operation, r.Example, r.Err)
				}
				if !bytes.Contains(r.Body, []byte("soap:Envelope")) || r.Header.Get("Content-Type") == "" {
					t.Errorf("%s: %s", r.Operation, r.Body)
				}
			}
		})
	}
}
