package gateway

import (
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/find"
)

// Find is where certificates of people outside are looked for that the gateway does not have itself.
type Find struct {
	Sources []find.Source // in the order in which they are asked; none: nowhere
	// Pass: that a source cannot be asked counts as if it had no certificate, and holds no message up.
	Pass                    bool
	Timeout, Found, Missing time.Duration                // as find.Options has them
	Fits                    func(*x509.Certificate) bool // whether this program encrypts to a key; nil: to all
}

// withSources are settings whose finder asks their sources, too, and that finder; nil where there are none.
func (g *Gateway) withSources(s Settings) (Settings, *find.Finder, error) {
	if len(s.Find.Sources) == 0 {
		return s, nil, nil
	}
	pass := map[string]bool{}
	for _, source := range s.Find.Sources {
		pass[source.Name()] = s.Find.Pass
	}
	f, err := find.New(find.Options{
		Own: s.Certs, Sources: s.Find.Sources, Pass: pass, Judge: s.Validator, Fits: s.Find.Fits, Keep: g.keepFound,
		Timeout: s.Find.Timeout, Found: s.Find.Found, Missing: s.Find.Missing, Now: g.o.Now, Log: g.o.Log,
	})
	if err != nil {
		return s, nil, err
	}
	s.Certs = f
	return s, f, nil
}

// setFinder puts a finder into force and ends what the one before is doing.
func (g *Gateway) setFinder(f *find.Finder) {
	if old := g.finder.Swap(f); old != nil {
		old.Close()
	}
}

// looking is a finder for who only asks; nil where it is the same as for mail.
func looking(f certs.Finder) certs.Finder {
	if f, ok := f.(*find.Finder); ok {
		return f.Look()
	}
	return nil
}
