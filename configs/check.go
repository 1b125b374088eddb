package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// checker judges a configuration whose every single value could be read.
type checker struct {
	*Config
	options Options
	report  *report
	broken  map[string]bool // keys whose values could not be read
}

func check(c *Config, o Options, d *decoder) {
	k := &checker{Config: c, options: o, report: d.report, broken: maps.Clone(d.report.failed)}
	k.general()
	k.tls()
	k.smartcards()
	k.vaults()
	k.listeners()
	k.recipients()
	k.throttle()
	k.quarantine()
	k.certificates()
	k.find()
	k.issue()
	k.validation()
	k.directories()
	k.revocation()
	k.policy()
	k.smime()
	k.authentication()
	k.dkim()
	k.privacy()
	k.pickup()
	k.routes()
	k.roundTrips()
	k.backups()
	k.archives()
	k.tlsReport()
	k.tlsPublish()
	k.demail()
	k.texts()
	k.dns()
	k.tlsPartners()
	k.admin()
	k.outlook()
}

// fail reports an error at a key, unless it or a section around it could not be read.
func (k *checker) fail(dotted, format string, args ...any) { k.say(Error, dotted, 0, format, args...) }

// failMember is fail for the i-th value of a list.
func (k *checker) failMember(dotted string, i int, format string, args ...any) {
	k.say(Error, dotted, i, format, args...)
}

// warn reports a warning at a key, unless it or a section around it could not be read.
func (k *checker) warn(dotted, format string, args ...any) {
	k.say(Warning, dotted, 0, format, args...)
}

// warnMember is warn for the i-th value of a list.
func (k *checker) warnMember(dotted string, i int, format string, args ...any) {
	k.say(Warning, dotted, i, format, args...)
}

func (k *checker) say(s Severity, dotted string, i int, format string, args ...any) {
	for at := dotted; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if k.broken[at] {
			return
		}
	}
	k.report.add(Problem{s, nearest(k.origins, member(dotted, i)), dotted, fmt.Sprintf(format, args...)})
}

func (k *checker) general() {
	if why := badHost(k.Hostname); why != "" {
		k.fail("hostname", "%s", why)
	} else if _, err := netip.ParseAddr(k.Hostname); err == nil {
		k.fail("hostname", "this must be a name, not an address")
	} else if !strings.Contains(k.Hostname, ".") {
		k.warn("hostname", "other mail servers expect a full name, as in mail.firma.example")
	}
	k.folder("state", k.State, false)
	if !k.AtRest.Key.IsZero() {
		if _, err := atrest.ParseKey(k.AtRest.Key.Reveal()); err != nil {
			k.fail("at_rest.key", "this is not a key; make one with: openssl rand -base64 32")
		}
	}
	for i, p := range k.Domains {
		if p.String() == "*" {
			k.failMember("domains", i, "* would make the whole internet the company's own; name the company's domains")
		}
	}
	k.tries("queue.expire", k.Queue.Retry, k.Queue.Expire)
}

// tries holds that there is time for a second attempt.
func (k *checker) tries(dotted string, retry []time.Duration, expire time.Duration) {
	if len(retry) > 0 && expire < retry[0] {
		k.fail(dotted, "nothing is tried twice within this time; it must be longer than the first wait under retry")
	}
}

// folder holds that a path is a folder, or, unless it must be there, that it can be made.
func (k *checker) folder(dotted string, p Path, mustExist bool) {
	if p == "" {
		return
	}
	info, err := os.Stat(p.String())
	if err == nil && info.IsDir() && mustExist {
		err = listable(p.String())
	}
	switch {
	case err == nil && !info.IsDir():
		k.fail(dotted, "%s is not a folder", shorten(p.String()))
	case err == nil:
	case mustExist && errors.Is(err, fs.ErrNotExist):
		k.fail(dotted, "%s: there is no such folder; make it, or remove the setting if you need none", shorten(p.String()))
	case mustExist:
		k.fail(dotted, "%s: %s", shorten(p.String()), strings.Replace(fileTrouble(err), "file", "folder", 1))
	default:
		if _, err := os.Stat(filepath.Dir(p.String())); err != nil {
			k.fail(dotted, "neither %s nor the folder around it is there; make it and give it to the user of the gateway", shorten(p.String()))
		}
	}
}

// listable is the error of reading what is in a folder.
func listable(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// file holds that a path can be read as a file, and returns its bytes.
func (k *checker) file(dotted string, p Path) []byte { return k.fileMember(dotted, 0, p) }

// fileMember is file for the i-th value of a list.
func (k *checker) fileMember(dotted string, i int, p Path) []byte {
	text, err := readFile(p.String())
	if err != nil {
		k.failMember(dotted, i, "%s: %s", shorten(p.String()), fileTrouble(err))
		return nil
	}
	return text
}

// private warns of a file with secrets that every user may read.
func (k *checker) private(dotted string, p Path) {
	if info, err := os.Stat(p.String()); err == nil && info.Mode().Perm()&0o007 != 0 {
		k.warn(dotted, "%s: every user of this machine may read or change this file; run chmod o= on it", shorten(p.String()))
	}
}

func (k *checker) certificates() {
	c := k.Certificates
	k.folder("certificates.folder", c.Folder, true)
	k.folder("certificates.trust", c.Trust, true)
	switch {
	case c.Issue.CA != IssueNone:
	case c.Folder == "":
		k.warn("certificates.folder", "without a folder of certificates, and with none imported (siegel certs import), nothing can be signed, encrypted or decrypted")
	case c.Trust == "":
		k.warn("certificates.trust", "without trusted authorities no certificate is believed: every signature counts as untrusted and nothing can be encrypted")
	}
	if c.PasswordsFile != "" && k.file("certificates.passwords_file", c.PasswordsFile) != nil {
		k.private("certificates.passwords_file", c.PasswordsFile)
	}
}

// unique returns a function that reports names that are given twice, without regard to case.
func (k *checker) unique(list string) func(name, dotted string) {
	seen := map[string]bool{}
	return func(name, dotted string) {
		folded := strings.ToLower(name)
		if name != "" && seen[folded] {
			k.fail(dotted+".name", "another of the %s has this name; give each its own", list)
		}
		seen[folded] = true
	}
}

// badName says why a name cannot stand in logs and metrics, or nothing.
func badName(name string) string {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return "a name holds only letters, digits, and . _ -"
		}
	}
	if len(name) > 64 {
		return "a name has at most 64 letters"
	}
	return ""
}

// badHost says why s is neither a host name (RFC 1123, 2.1) nor an address, or nothing.
func badHost(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	if s == "" || len(s) > 253 {
		return "this must be a host name, as in mail.firma.example"
	}
	for label := range strings.SplitSeq(s, ".") {
		if strings.Trim(label, "-") != label || label == "" || len(label) > 63 || strings.IndexFunc(label, notInHost) >= 0 {
			return "this is no host name; write it without port, as in mail.firma.example"
		}
	}
	return ""
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}
