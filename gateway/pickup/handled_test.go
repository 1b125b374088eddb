package pickup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
)

// A message whose file cannot be deleted, or set aside, is not sent again nor judged again with each look.
func TestHandledOnce(t *testing.T) {
	for what, c := range map[string]struct {
		err  error
		trap func(name string) string // what stands in the way
		left int                      // files in bad/ in the end
	}{
		"not deleted":   {nil, func(name string) string { return filepath.Join("taking", name, "x") }, 0},
		"not set aside": {status.Refuse(550, "5.7.1", "no"), func(name string) string { return filepath.Join("bad", strings.TrimSuffix(name, ".eml")+".txt", "x") }, 2},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t, nil)
			tries, trap := 0, ""
			p.err, p.before = c.err, func() {
				name := p.files("taking")[0]
				tries, trap = tries+1, filepath.Join(p.dir, c.trap(name))
				if c.err == nil {
					if err := os.Remove(filepath.Join(p.dir, "taking", name)); err != nil {
						t.Error(err)
					}
				}
				if err := os.MkdirAll(trap, 0o700); err != nil {
					t.Error(err)
				}
			}
			p.put("a.eml", letter)
			for range 5 {
				p.look()
				p.now = p.now.Add(20 * time.Minute)
			}
			if tries != 1 || len(p.events) != 1 || len(p.files("taking")) != 1 {
				t.Fatalf("%d tries, %d events, %q", tries, len(p.events), p.files("taking"))
			}
			if err := os.Remove(trap); err != nil {
				t.Fatal(err)
			}
			if c.err != nil {
				if err := os.Remove(filepath.Dir(trap)); err != nil {
					t.Fatal(err)
				}
			}
			p.look()
			if tries != 1 || len(p.events) != 1 || len(p.files("taking")) != 0 || len(p.files("bad")) != c.left {
				t.Errorf("%d tries, %d events, %q, %q", tries, len(p.events), p.files("taking"), p.files("bad"))
			}
		})
	}
}
