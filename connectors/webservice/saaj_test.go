package webservice

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/tlstest"
)

// saaj is Java's SOAP library as a provider: it reads our requests and writes the answers.
type saaj struct {
	in  io.WriteCloser
	out io.Reader
}

// newSAAJ starts one.
func newSAAJ(t *testing.T, version string) *saaj {
	t.Helper()
	tlstest.Need(t, "java")
	var jars []string
	for _, name := range []string{"javax.xml.soap-api", "saaj-impl", "javax.activation", "mimepull", "stax-ex", "jaxb-api"} {
		jar := filepath.Join("/usr/share/java", name+".jar")
		if _, err := os.Stat(jar); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing; run scripts/install-tools test", jar)
			}
			t.Skipf("%s is missing; scripts/install-tools test installs it", jar)
		}
		jars = append(jars, jar)
	}
	cmd := exec.Command("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", strings.Join(jars, ":"), filepath.Join("testdata", "saaj", "Peer.java"), version)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("SAAJ: %v\n%s", err, stderr.String())
		}
	})
	return &saaj{in, out}
}

// exchange gives a request and reads its answer.
func (s *saaj) exchange(t *testing.T, kind string, body []byte) (string, []byte) {
	for _, b := range [][]byte{[]byte(kind), body} {
		if err := binary.Write(s.in, binary.BigEndian, uint32(len(b))); err != nil {
			t.Error(err)
		}
		if _, err := s.in.Write(b); err != nil {
			t.Error(err)
		}
	}
	var got [2][]byte
	for i := range got {
		var n uint32
		if err := binary.Read(s.out, binary.BigEndian, &n); err != nil {
			t.Errorf("SAAJ does not answer: %v", err)
			return "", nil
		}
		got[i] = make([]byte, n)
		if _, err := io.ReadFull(s.out, got[i]); err != nil {
			t.Error(err)
		}
	}
	return string(got[0]), got[1]
}

// TestSAAJ sends messages to Java's SAAJ, and fetches messages that SAAJ wrote: SOAP 1.2 with MTOM, SOAP 1.1 with base64 in lines.
func TestSAAJ(t *testing.T) {
	for name, version := range map[string]string{"t-systems": "1.2", "mentana": "1.1"} {
		t.Run(version, func(t *testing.T) {
			peer := newSAAJ(t, version)
			s := newProvider(t, load(t, shippedText(t, name)))
			s.raw = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/services/session" {
					return false
				}
				body, err := io.ReadAll(r.Body)
				s.check(err)
				kind, answer := peer.exchange(t, r.Header.Get("Content-Type"), body)
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write(answer)
				return true
			}
			c, content := s.client(), patterned(150_000)
			sub := small()
			sub.Key, sub.Content = `<&>"'é-]]>`, content
			taken, err := c.Submit(t.Context(), sub)
			if err != nil || taken.ID != content.sum()+" "+sub.Key {
				t.Errorf("SAAJ reads %q, %v", taken.ID, err)
			}
			var got []byte
			err = c.Fetch(t.Context(), "1", func(in io.Reader) (err error) { got, err = io.ReadAll(in); return err })
			if err != nil || len(got) != 200_000 {
				t.Fatalf("%d bytes of SAAJ's, %v", len(got), err)
			}
			for i := range got {
				if got[i] != byte(i*(i>>8)) {
					t.Fatalf("byte %d is %d", i, got[i])
				}
			}
		})
	}
}
