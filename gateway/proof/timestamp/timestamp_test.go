package timestamp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/proof/timestamp"
	"github.com/siegel-mail/siegel/gateway/proof/timestamp/timestamptest"
)

func authority(t testing.TB, url string, roots *x509.CertPool) *timestamp.Authority {
	t.Helper()
	a, err := timestamp.New(timestamp.Options{URL: url, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// OpenSSL answers what we ask, and verifies what we took from it.
func TestStamp(t *testing.T) {
	tsa := timestamptest.Serve(t)
	data := []byte("the manifest")
	response, err := authority(t, tsa.URL, tsa.Roots).Stamp(t.Context(), sha256.Sum256(data))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"data": data, "stamp.tsr": response} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("openssl", "ts", "-verify", "-data", "data", "-in", "stamp.tsr", "-CAfile", tsa.CAFile)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s, err := timestamp.Parse(response)
	if err != nil || s.Policy != "1.3.6.1.4.1.99999.1" || time.Since(s.Time).Abs() > time.Minute || s.Serial.Sign() <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := s.Verify(sha256.Sum256(data), tsa.Roots); err != nil {
		t.Error(err)
	}
	if err := s.Verify(sha256.Sum256([]byte("another")), tsa.Roots); !errors.Is(err, timestamp.ErrInvalid) {
		t.Errorf("of something else: %v", err)
	}
	if err := s.Verify(sha256.Sum256(data), x509.NewCertPool()); !errors.Is(err, timestamp.ErrInvalid) {
		t.Errorf("by nobody who is known: %v", err)
	}
}

// No byte of an answer can be changed such that it is believed.
func TestAltered(t *testing.T) {
	tsa := timestamptest.Serve(t)
	digest := sha256.Sum256([]byte("the manifest"))
	response, err := authority(t, tsa.URL, tsa.Roots).Stamp(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	good, err := timestamp.Parse(response)
	if err != nil {
		t.Fatal(err)
	}
	for i := range response {
		altered := bytes.Clone(response)
		altered[i] ^= 1
		s, err := timestamp.Parse(altered)
		if err != nil || s.Verify(digest, tsa.Roots) != nil {
			continue
		}
		if !s.Time.Equal(good.Time) || s.Nonce.Cmp(good.Nonce) != 0 || s.Serial.Cmp(good.Serial) != 0 || !bytes.Equal(s.Digest, good.Digest) {
			t.Errorf("byte %d: %+v", i, s)
		}
	}
	for _, n := range []int{0, 1, len(response) / 2, len(response) - 1} {
		if _, err := timestamp.Parse(response[:n]); err == nil {
			t.Errorf("%d bytes of it are read", n)
		}
	}
	if _, err := timestamp.Parse(append(bytes.Clone(response), 0)); err == nil {
		t.Error("a byte behind it is passed over")
	}
}

// Who signs must be known, and for timestamps alone, as its certificate says critically (RFC 3161, 2.3).
func TestCertificates(t *testing.T) {
	plain := timestamptest.Certificate("no usage", false)
	plain.ExtraExtensions = nil
	more := timestamptest.Certificate("several", false)
	more.ExtraExtensions, more.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageEmailProtection}
	lax := timestamptest.Certificate("not critical", false)
	lax.ExtraExtensions[0].Critical = false
	expired := timestamptest.Certificate("expired", false)
	expired.NotAfter = time.Now().Add(-time.Minute)
	for name, c := range map[string]*x509.Certificate{"no usage": plain, "several": more, "not critical": lax, "expired": expired, "unknown": timestamptest.Certificate("unknown", false)} {
		t.Run(name, func(t *testing.T) {
			tsa := timestamptest.Serve(t)
			tsa.Use(t, c, name == "unknown")
			_, err := authority(t, tsa.URL, tsa.Roots).Stamp(t.Context(), sha256.Sum256(nil))
			if err == nil || !errors.Is(err, timestamp.ErrInvalid) && !errors.Is(err, timestamp.ErrUnavailable) && !errors.Is(err, timestamp.ErrRefused) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A signature that does not name its certificate is none of a timestamp (RFC 3161, 2.4.2), and OpenSSL agrees; nor is one taken with an extension that
// must be understood.
func TestTokens(t *testing.T) {
	tsa := timestamptest.Serve(t)
	data := []byte("the manifest")
	digest := sha256.Sum256(data)
	plain, critical := extension(false), extension(true)
	for name, c := range map[string]struct {
		named    bool
		tail     []byte
		good     bool
		verifies bool // OpenSSL
	}{
		"named":        {named: true, good: true, verifies: true},
		"not named":    {},
		"an extension": {named: true, tail: plain, good: true, verifies: true},
		"a critical":   {named: true, tail: critical},
		"more":         {named: true, tail: []byte{5, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			token := tsa.Token(t, info(digest, c.tail), c.named)
			response := marshal(0x30, []byte{0x30, 3, 2, 1, 0}, token)
			s, err := timestamp.Parse(response)
			if err == nil {
				err = s.Verify(digest, tsa.Roots)
			}
			if (err == nil) != c.good {
				t.Errorf("%v", err)
			}
			dir := t.TempDir()
			for name, content := range map[string][]byte{"data": data, "stamp.tsr": response} {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := exec.Command("openssl", "ts", "-verify", "-data", "data", "-in", "stamp.tsr", "-CAfile", tsa.CAFile)
			o.Dir = dir
			if out, err := o.CombinedOutput(); c.verifies && err != nil || !c.named && err == nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// marshal is a DER element of less than 64 KiB.
func marshal(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}[:4], body...)
}

// short is one of less than 128 bytes.
func short(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append([]byte{tag, byte(len(body))}, body...)
}

// extension is a list of extensions with one that nobody knows.
func extension(critical bool) []byte {
	must := []byte{}
	if critical {
		must = []byte{1, 1, 0xff}
	}
	return short(0xa1, short(0x30, []byte{6, 3, 0x2a, 3, 4}, must, []byte{4, 2, 5, 0}))
}

// info is a TSTInfo of now.
func info(digest [sha256.Size]byte, tail []byte) []byte {
	hash := []byte{0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0}
	return short(0x30, []byte{2, 1, 1}, []byte{6, 3, 0x2a, 3, 4}, short(0x30, hash, short(4, digest[:])), []byte{2, 1, 7},
		short(0x18, []byte(time.Now().UTC().Format("20060102150405Z"))), tail)
}

// An answer to another question, of another time, or none is refused; nothing is read without bound, and no redirection followed.
func TestAnswers(t *testing.T) {
	tsa := timestamptest.Serve(t)
	digest := sha256.Sum256([]byte("the manifest"))
	old, err := authority(t, tsa.URL, tsa.Roots).Stamp(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	refused := []byte("\x30\x15\x30\x13\x02\x01\x02\x30\x08\x0c\x06no\x0away\x03\x04\x04\x00\x00\x01")
	refused[1], refused[3] = byte(len(refused)-2), byte(len(refused)-4)
	reply := "application/timestamp-reply"
	for name, c := range map[string]struct {
		code int
		kind string
		body []byte
		want error
	}{
		"another answer":  {200, reply, old, timestamp.ErrInvalid},
		"refused":         {200, reply, refused, timestamp.ErrRefused},
		"another type":    {200, "text/html", old, timestamp.ErrUnavailable},
		"a fault":         {500, reply, old, timestamp.ErrUnavailable},
		"a redirection":   {302, reply, old, timestamp.ErrUnavailable},
		"nothing":         {200, reply, nil, timestamp.ErrUnavailable},
		"without an end":  {200, reply, bytes.Repeat([]byte{0x30}, 2<<20), timestamp.ErrUnavailable},
		"something else":  {200, reply, []byte("no DER"), timestamp.ErrUnavailable},
		"granted nothing": {200, reply, []byte("\x30\x05\x30\x03\x02\x01\x00"), timestamp.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Location", tsa.URL)
				w.WriteHeader(c.code)
				w.Write(c.body)
			}))
			defer server.Close()
			before := tsa.Asked()
			_, err := authority(t, server.URL, tsa.Roots).Stamp(t.Context(), digest)
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			if tsa.Asked() != before {
				t.Error("a redirection was followed")
			}
		})
	}
	late, err := timestamp.New(timestamp.Options{URL: tsa.URL, Roots: tsa.Roots, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Stamp(t.Context(), digest); !errors.Is(err, timestamp.ErrInvalid) {
		t.Errorf("another time: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := authority(t, tsa.URL, tsa.Roots).Stamp(ctx, digest); !errors.Is(err, timestamp.ErrUnavailable) {
		t.Errorf("given up: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]timestamp.Options{
		"no URL": {Roots: x509.NewCertPool()}, "another scheme": {URL: "ftp://tsa.example", Roots: x509.NewCertPool()},
		"no host": {URL: "http:///x", Roots: x509.NewCertPool()}, "nobody to believe": {URL: "http://tsa.example"},
	} {
		if _, err := timestamp.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Whatever an authority answers is read, or refused, and never believed without its signature.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\x30\x05\x30\x03\x02\x01\x00"))
	f.Add([]byte("\x30\x05\x30\x03\x02\x01\x02"))
	answer, err := os.ReadFile("testdata/answer.tsr") // of OpenSSL
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Fuzz(func(t *testing.T, answer []byte) {
		s, err := timestamp.Parse(answer)
		if err == nil && (s.Time.IsZero() || len(s.Digest) != sha256.Size || s.Serial == nil) {
			t.Errorf("%+v", s)
		}
	})
}

func ExampleAuthority() {
	// roots, _ := ... the certificates that the authority's operator publishes
	_, err := timestamp.New(timestamp.Options{URL: "tsa.example", Roots: x509.NewCertPool()})
	fmt.Println(err)
	// Output: timestamp: the URL of an authority begins with http:// or https://
}
