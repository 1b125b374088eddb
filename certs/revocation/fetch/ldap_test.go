package fetch_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/certs/revocation/fetch"
)

// slapd starts OpenLDAP with one entry that holds a list, and returns its host and port.
func slapd(t testing.TB, list []byte) string {
	t.Helper()
	ldif := "dn: dc=ca,dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: ca\no: CA\n\n" +
		"dn: cn=Root,dc=ca,dc=example\nobjectClass: cRLDistributionPoint\ncn: Root\ncertificateRevocationList;binary:: " +
		base64.StdEncoding.EncodeToString(list) + "\n\ndn: cn=Empty,dc=ca,dc=example\nobjectClass: cRLDistributionPoint\ncn: Empty\n"
	return strings.TrimPrefix(ldaptest.Start(t, ldaptest.Options{Suffix: "dc=ca,dc=example", LDIF: ldif}).URL, "ldap://")
}

// emptyList is a list with nothing in it, as far as slapd looks at it.
func emptyList(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	config := "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n"
	for name, text := range map[string]string{"cnf": config, "index": "", "number": "01\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=CA", "-keyout", "key", "-out", "cert"},
		{"ca", "-config", "cnf", "-gencrl", "-crldays", "9", "-cert", "cert", "-keyfile", "key", "-out", "pem"},
		{"crl", "-in", "pem", "-outform", "DER", "-out", "der"},
	} {
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	der, err := os.ReadFile(filepath.Join(dir, "der"))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// OpenLDAP is asked as nobody, by the addresses that authorities write.
func TestSlapd(t *testing.T) {
	list := emptyList(t)
	address := slapd(t, list)
	c := client(t, fetch.Options{Directory: address})
	for _, one := range []struct {
		path string
		want bool
		err  error
	}{
		{"ldap://HOST/cn=Root,dc=ca,dc=example?certificateRevocationList;binary", true, nil},
		{"ldap://HOST/cn=Root,dc=ca,dc=example", true, nil},
		{"ldap://HOST/CN=Root,DC=ca,DC=example?certificateRevocationList?base?objectClass=cRLDistributionPoint", true, nil}, // Active Directory
		{"ldap:///CN=Root,DC=ca,DC=example?certificateRevocationList?base?objectClass=cRLDistributionPoint", true, nil},
		{"ldap://HOST/dc=ca,dc=example?certificateRevocationList?sub?(cn=Root)", true, nil},
		{"ldap://HOST/cn=Root,dc=ca,dc=example?cACertificate", false, fetch.ErrAnswer},
		{"ldap://HOST/cn=Empty,dc=ca,dc=example", false, fetch.ErrAnswer},
		{"ldap://HOST/cn=None,dc=ca,dc=example", false, fetch.ErrAnswer},
		{"ldap://HOST/dc=other", false, fetch.ErrAnswer},
		{"ldap://HOST/cn=Root,dc=ca,dc=example??all", false, fetch.ErrRefused},
		{"ldap://HOST/cn=Root,dc=ca,dc=example????!x=y", false, fetch.ErrRefused},
		{"ldap://HOST/cn=Root,dc=ca,dc=example?a?base?b?c?d", false, fetch.ErrRefused},
		{"ldap://HOST/cn=Root,dc=ca,dc=example???((", false, nil},
	} {
		got, err := get(t, c, strings.Replace(one.path, "HOST", address, 1))
		if (err == nil) != one.want || one.want && got != string(list) || one.err != nil && !errors.Is(err, one.err) {
			t.Errorf("%s: %d bytes, %v", one.path, len(got), err)
		}
	}
	small := c.Get(t.Context(), "ldap://"+address+"/cn=Root,dc=ca,dc=example", 100, func([]byte) error { return nil })
	if !errors.Is(small, fetch.ErrTooBig) {
		t.Errorf("beyond the limit: %v", small)
	}
	if err := c.Get(t.Context(), "ldap://"+address+"/cn=Root,dc=ca,dc=example", limit, func([]byte) error { return os.ErrInvalid }); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("the error of the user: %v", err)
	}
}

// hostile answers every connection with what it is given, and keeps it open.
func hostile(t testing.TB, answer []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go c.Write(answer)
		}
	}()
	return "ldap://" + l.Addr().String() + "/cn=x"
}

// A directory that promises too much, nests without end or says nothing costs little.
func TestHostileDirectory(t *testing.T) {
	c := client(t, fetch.Options{Silence: 200 * time.Millisecond})
	huge := binary.BigEndian.AppendUint32([]byte{0x30, 0x84}, 1<<31-1)
	inner := append([]byte{0x30, 20, 2, 1, 1}, binary.BigEndian.AppendUint32([]byte{0x04, 0x84}, 1<<31-1)...)
	for name, answer := range map[string][]byte{
		"nothing": nil, "a length of 2 GB": huge, "one of 2 GB within": append(inner, make([]byte, 20)...),
		"nested": []byte(strings.Repeat("\x30\x80", 1<<20)), "nested, with lengths": nest(100), "no LDAP": []byte("HTTP/1.1 200 OK\r\n\r\n"),
		"many": []byte(strings.Repeat("\x30\x0c\x02\x01\x01\x64\x07\x04\x01x\x30\x00\x30\x00", 100)), "long tag": {0x3f, 0x81, 0x81},
		"a length of five octets": {0x30, 0x85, 1, 1, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := get(t, c, hostile(t, answer)); err == nil {
				t.Errorf("%q", got)
			}
		})
	}
}

func nest(depth int) []byte {
	var b []byte
	for range depth {
		b = append([]byte{0x30, byte(len(b))}, b...)
		if len(b) > 120 {
			break
		}
	}
	return b
}

// Whatever a directory sends, asking it ends.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add(append(binary.BigEndian.AppendUint32([]byte{0x30, 0x84}, 1<<31-1), 0))
	f.Add([]byte("\x30\x1d\x02\x01\x01\x64\x18\x04\x01x\x30\x13\x30\x11\x04\x0acertificat\x31\x03\x04\x01z"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		here, there := net.Pipe()
		go func() {
			there.SetDeadline(time.Now().Add(time.Second))
			there.Read(make([]byte, 4096))
			there.Write(answer)
			there.Close()
		}()
		c := client(t, fetch.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return here, nil }})
		if got, err := get(t, c, "ldap://d.example/cn=x"); err == nil && len(got) > len(answer) {
			t.Fatalf("%d bytes of %d", len(got), len(answer))
		}
	})
}
