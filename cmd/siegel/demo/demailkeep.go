package demo

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/siegel-mail/siegel/certs/democa"
)

// keep leaves what was sent, received, confirmed and proven in dir, for other programs to check.
func (s *deMailStory) keep(dir string) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	kept := map[string][]byte{
		"evidence.zip": s.evidence, "de-mail-received.eml": s.delivered,
		"signatures-ca.pem": democa.CertificatePEM(s.providers.Keys.Signing.Certificate),
	}
	for i, m := range s.told {
		kept[fmt.Sprintf("told/%d.eml", i+1)] = m
	}
	for _, f := range confirmations(files) {
		if kept["confirmations/"+path.Base(f.Name)], err = read(f); err != nil {
			return err
		}
	}
	for _, f := range files {
		if path.Base(f.Name) == "message.eml" {
			if kept["de-mail-sent.eml"], err = read(f); err != nil {
				return err
			}
		}
	}
	for name, content := range kept {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	s.say("\nKept in %s: de-mail-sent.eml de-mail-received.eml confirmations/ told/ evidence.zip signatures-ca.pem", dir)
	return nil
}
