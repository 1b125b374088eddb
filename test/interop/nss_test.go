package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nss is cmsutil, the command of Mozilla's library, with a database of its own.
type nss struct {
	desk
	db      string
	release string
	missing map[string]error // people whose certificate or key it does not take
}

func newNSS(t testing.TB, w *world) peer {
	t.Helper()
	n := &nss{desk{w}, "sql:" + t.TempDir(), nssVersion(t), map[string]error{}}
	if err := runAll([]string{"certutil", "-N", "-d", n.db, "--empty-password"}, []string{"certutil", "-A", "-d", n.db, "-n", "root", "-t", ",C,", "-i", w.root.file("crt")}); err != nil {
		t.Fatal(err)
	}
	for name, p := range w.people {
		if err := runAll([]string{"pk12util", "-i", p.file("p12"), "-d", n.db, "-W", "x", "-K", ""}, []string{"certutil", "-A", "-d", n.db, "-n", name, "-t", "P,P,", "-i", p.file("crt")}); err != nil {
			n.missing[name] = err
		}
	}
	return n
}

// nssVersion is that of the package: the commands do not say it.
func nssVersion(t testing.TB) string {
	out, err := run(nil, "dpkg-query", "-W", "-f", "${Version}", "libnss3-tools")
	if err != nil {
		t.Log(err)
		return "of unknown version"
	}
	_, version, _ := strings.Cut(string(out), ":")
	version, _, _ = strings.Cut(version, "-")
	return version
}

func (*nss) name() string      { return "NSS" }
func (n *nss) version() string { return n.release }

func (n *nss) cmsutil(dir string, args ...string) error {
	_, err := run(nil, "cmsutil", append(args, "-d", n.db, "-i", filepath.Join(dir, "in"), "-o", filepath.Join(dir, "out"))...)
	return err
}

func (n *nss) sign(c signCase, content []byte) ([]byte, error) {
	switch {
	case c.ski:
		return nil, lack{"naming signers by key identifier"}
	case len(c.schemes) > 1:
		return nil, lack{"several signers"}
	case c.form == opaque:
		return nil, lack{"a definite length"}
	case c.bare:
		return nil, lack{"signatures without signed attributes"}
	case c.schemes[0].pss && c.schemes[0].person == "rsa":
		return nil, lack{"RSASSA-PSS"}
	}
	p := n.w.people[c.schemes[0].person]
	if err := n.missing[p.name]; err != nil {
		return nil, err
	}
	return n.files(content, func(dir string) error {
		args := []string{"-S", "-G", "-H", strings.ReplaceAll(hashNames[c.hash], "-", ""), "-N", p.name}
		if c.form == detached {
			args = append(args, "-T")
		}
		return n.cmsutil(dir, args...)
	})
}

func (n *nss) verify(c signCase, message, content []byte) error {
	return n.signedFiles(c, message, content, func(dir string) error {
		args := []string{"-D", "-u", "4"}
		if c.form == detached {
			args = append(args, "-c", filepath.Join(dir, "content"))
		}
		return n.cmsutil(dir, args...)
	})
}

func (n *nss) encrypt(c sealCase, content []byte) ([]byte, error) {
	switch {
	case c.ski:
		return nil, lack{"naming recipients by key identifier"}
	case c.form == opaque:
		return nil, lack{"a definite length"}
	case slices.ContainsFunc(c.transports, func(t transport) bool { return t.oaep }):
		return nil, lack{"RSAES-OAEP"}
	case slices.ContainsFunc(c.transports, func(t transport) bool { return t.readers }):
		return nil, lack{"another key derivation"}
	}
	var names []string
	for _, p := range n.w.recipients(c) {
		if err := n.missing[p.name]; err != nil {
			return nil, err
		}
		names = append(names, p.name)
	}
	return n.files(content, func(dir string) error { return n.cmsutil(dir, "-E", "-r", strings.Join(names, ",")) })
}

func (n *nss) decrypt(c sealCase, p person, message, content []byte) error {
	return n.openedFiles(message, content, func(dir string) error {
		err := n.cmsutil(dir, "-D")
		if err != nil {
			os.Remove(filepath.Join(dir, "out"))
		}
		return err
	})
}
