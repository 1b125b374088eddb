package webservice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever the provider answers with, be it what it was sent, no error holds a secret, a subject or a body.
func TestNothingSecretInErrors(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		secrets := []string{password, "geheim", "token-1", "secret subject", "secret body"}
		var status atomic.Int32
		var kind atomic.Value
		s.raw = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/services/session" && status.Load() != 1 {
				return false
			}
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", kind.Load().(string))
			w.Header().Set("X-Echo", "secret subject")
			if n := int(status.Load()); n > 1 {
				w.WriteHeader(n)
			}
			if bytes.Contains(body, []byte("token-1")) { // as a fault, too
				body = bytes.ReplaceAll(body, []byte("m:domains"), []byte("m:response"))
			}
			_, _ = w.Write(body)
			return true
		}
		for _, n := range []int32{1, 200, 400, 401, 500, 503} {
			for _, k := range []string{s.contentType(), "text/html", "multipart/related; type=\"application/xop+xml\"; boundary=x"} {
				status.Store(n)
				kind.Store(k)
				c := s.client()
				_, one := c.Submit(t.Context(), small())
				_, two := c.Domains(t.Context())
				if one == nil {
					t.Fatalf("%d, %s: no error", n, k)
				}
				for _, err := range []error{one, two} {
					for e := err; e != nil; e = errors.Unwrap(e) {
						for _, secret := range secrets {
							if strings.Contains(e.Error(), secret) {
								t.Errorf("%d, %s: %v", n, k, e)
							}
						}
					}
				}
			}
		}
	})
}

// A code that is none, or repeats a secret, is not shown.
func TestSafeCode(t *testing.T) {
	for code, want := range map[string]string{
		"E-1.2:x_Y": "E-1.2:x_Y", " 12\n": "12", "": "", "a b": "", "ä": "", "x\x1b[31m": "", "pre-secret-post": "", strings.Repeat("a", 65): "",
	} {
		if got := safeCode(code, "", "secret"); got != want {
			t.Errorf("%q: %q", code, got)
		}
	}
}

// hashRequest is how the other end reads a large message.
func hashRequest(s *Server, r *http.Request) (string, error) {
	q, err := s.Read(r)
	if err != nil {
		return "", err
	}
	defer q.Close()
	in, err := q.Message()
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	_, err = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), err
}

// A large message goes up and comes down without ever being in memory, in both forms.
func TestMemory(t *testing.T) {
	const size = 12 << 20
	eachProfile(t, func(t *testing.T, s *provider) {
		var sum atomic.Value
		s.hungUp = true
		s.raw = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/services/session" {
				return false
			}
			if r.ContentLength > size {
				got, err := hashRequest(s.server, r)
				s.check(err)
				sum.Store(got)
				s.check(s.server.Write(w, OpSubmit, Values{"id": "1"}, nil))
				return true
			}
			_ = s.server.Write(w, OpFetch, Values{}, patterned(size)) // whoever asked for something else hangs up
			return true
		}
		c := s.client()
		if _, err := c.Domains(t.Context()); ClassOf(err) != Unavailable { // logs in; the answer is another's
			t.Fatal(err)
		}
		peak := watchHeap(t)
		sub := small()
		sub.Content = patterned(size)
		if _, err := c.Submit(t.Context(), sub); err != nil || sum.Load() != patterned(size).sum() {
			t.Fatalf("%v", err)
		}
		h := sha256.New()
		err := c.Fetch(t.Context(), "1", func(in io.Reader) error { _, err := io.Copy(h, in); return err })
		if err != nil || hex.EncodeToString(h.Sum(nil)) != patterned(size).sum() {
			t.Fatalf("%v", err)
		}
		if used := peak(); used > 8<<20 {
			t.Errorf("%d MiB more than before", used>>20)
		}
	})
}

// watchHeap measures what the heap holds at most beyond now, until it is asked. Garbage is collected early meanwhile, since what nobody collected
// yet counts, too.
func watchHeap(t *testing.T) func() uint64 {
	collect := debug.SetGCPercent(20)
	t.Cleanup(func() { debug.SetGCPercent(collect) })
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				most = max(most, heap())
			}
		}
	}()
	return func() uint64 {
		cancel()
		<-done
		return most - min(before, most)
	}
}
