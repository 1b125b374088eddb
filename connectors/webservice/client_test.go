package webservice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
)

// All operations, with both profiles: what was asked for arrives, and what was answered too.
func TestOperations(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		c, ctx := s.client(), t.Context()
		domains, err := c.Domains(ctx)
		if err != nil || !slices.Equal(domains, []string{"firma.de-mail.example", "firma2.de-mail.example"}) {
			t.Fatalf("domains %v, %v", domains, err)
		}
		content := patterned(200_001)
		sub := Submission{
			Key: `k<1>&"'`, Sender: "a@firma.de-mail.example", To: []string{"b@x.de-mail.example"}, Bcc: []string{`"</d:Bcc>"@x.de-mail.example`},
			Dispatch: true, Private: true, Content: content,
		}
		taken, err := c.Submit(ctx, sub)
		if err != nil || s.sums[taken.ID] != content.sum() || taken.Time.IsZero() != (s.server.Profile.Name == "mentana") {
			t.Fatalf("submit %v, %v", taken, err)
		}
		got := s.last(OpSubmit).Values
		for name, want := range map[string]any{"key": sub.Key, "sender": sub.Sender, "dispatch": true, "private": true, "receipt": false, "retrieve": false, "authoritative": false} {
			if got[name] != want {
				t.Errorf("%s came as %v", name, got[name])
			}
		}
		if all := recipients(got); !slices.Equal(all, append(sub.To, sub.Bcc...)) {
			t.Errorf("recipients %q", all)
		}
		if found, err := c.Find(ctx, sub.Key); err != nil || len(found) != 1 || found[0].ID != taken.ID {
			t.Errorf("find %v, %v", found, err)
		}
		if found, err := c.Find(ctx, "other"); err != nil || len(found) != 0 {
			t.Errorf("find other %v, %v", found, err)
		}
		testFetching(t, s, c)
		testLookup(t, c)
		if s.logins > 1 {
			t.Errorf("%d logins", s.logins)
		}
	})
}

// testFetching lists, fetches and acknowledges.
func testFetching(t *testing.T, s *provider, c *Client) {
	big, _ := patterned(300_000).Open()
	text, _ := io.ReadAll(big)
	messages := map[string]string{"m1": "short\r\n", "m2": string(text), "m3": "x", "m4": "y", "m5": strings.Repeat("z", 100_000)}
	s.lock.Lock()
	maps.Copy(s.waiting, messages)
	s.lock.Unlock()
	list, err := c.List(t.Context())
	if err != nil || len(list) != len(messages) {
		t.Fatalf("list %v, %v", list, err)
	}
	for _, w := range list {
		if w.Size != int64(len(messages[w.ID])) {
			t.Errorf("%s: size %d", w.ID, w.Size)
		}
		err := c.Fetch(t.Context(), w.ID, func(in io.Reader) error {
			got, err := io.ReadAll(in)
			if err == nil && string(got) != messages[w.ID] {
				t.Errorf("%s: another message", w.ID)
			}
			return err
		})
		if err != nil {
			t.Errorf("fetch %s: %v", w.ID, err)
		}
		if err := c.Acknowledge(t.Context(), w.ID); err != nil {
			t.Errorf("acknowledge %s: %v", w.ID, err)
		}
	}
	if err := c.Fetch(t.Context(), "m1", func(io.Reader) error { return nil }); ClassOf(err) != NotFound {
		t.Errorf("a message that is gone: %v", err)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list %v, %v", list, err)
	}
}

func testLookup(t *testing.T, c *Client) {
	found, err := c.Lookup(t.Context(), "amt@stadt.de-mail.example")
	if err != nil || len(found) != 1 || found[0].Address != "amt@stadt.de-mail.example" || found[0].Level == "" || !bytes.Equal(found[0].Certificate, []byte{1, 2, 3}) {
		t.Errorf("lookup %v, %v", found, err)
	}
	if found, err := c.Lookup(t.Context(), "none@stadt.de-mail.example"); err != nil || len(found) != 0 {
		t.Errorf("lookup of nobody %v, %v", found, err)
	}
}

// recipients are those of a request, however its profile says them.
func recipients(v Values) []string {
	var out []string
	for _, list := range []string{"recipients", "to", "cc", "bcc"} {
		members, _ := v[list].([]string)
		out = append(out, members...)
	}
	return out
}

// small is a submission whose content does not matter.
func small() Submission {
	return Submission{Key: "key", Sender: "a@firma.de-mail.example", To: []string{"b@x.de-mail.example"}, Content: textContent("Subject: secret subject\r\n\r\nsecret body\r\n")}
}

// Every class that a profile knows arrives as that, and a refusal is never in doubt.
func TestRefusals(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		c := s.client()
		for _, class := range []Class{Unavailable, Rejected, NoSuchAddress, NotEntitled, OverQuota, TooLarge, LoginFailed} {
			s.before = func(w http.ResponseWriter, r *Request) bool {
				if r.Operation != OpSubmit {
					return false
				}
				s.check(s.server.Refuse(w, class, "b@x.de-mail.example", "stranger@x.de-mail.example"))
				return true
			}
			sub := small()
			sub.Cc = []string{"unnamed@x.de-mail.example"}
			_, err := c.Submit(t.Context(), sub)
			if ClassOf(err) != class {
				t.Errorf("%s came as %v", class, err)
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code == "" || !slices.Equal(e.Addresses, []string{"b@x.de-mail.example"}) || (e.After > 0) != (class == OverQuota) {
				t.Errorf("%s: %+v", class, e)
			}
		}
		if n := len(s.taken); n != 0 {
			t.Errorf("%d taken", n)
		}
	})
}

// hijack closes the connection of a request.
func hijack(tb testing.TB, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		tb.Error(err)
		return
	}
	_ = conn.Close()
}

// Redirects are not followed, whatever they are, and nothing is sent to where they lead.
func TestRedirects(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		for _, status := range []int{301, 302, 303, 307, 308} {
			reached := 0
			s.raw = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/elsewhere" {
					reached++
				}
				_, _ = io.Copy(io.Discard, r.Body)
				http.Redirect(w, r, "/elsewhere", status)
				return true
			}
			c := s.client()
			if _, err := c.Submit(t.Context(), small()); ClassOf(err) != Unavailable || reached > 0 {
				t.Errorf("%d: %v, %d", status, err, reached)
			}
		}
	})
}

// A session is begun once for all, renewed where it expired, and a refused login is not tried again for a while.
func TestSession(t *testing.T) {
	s := newProvider(t, load(t, shippedText(t, "mentana")))
	c := s.client()
	for range 3 {
		if _, err := c.Domains(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.logins != 1 {
		t.Errorf("%d logins", s.logins)
	}
	s.token = "token-2"
	if _, err := c.Submit(t.Context(), small()); err != nil || s.logins != 2 {
		t.Errorf("%v, %d logins", err, s.logins)
	}
	s.before = func(w http.ResponseWriter, r *Request) bool {
		if r.Operation == OpLogin {
			return false
		}
		s.check(s.server.Refuse(w, SessionExpired))
		return true
	}
	if _, err := c.Domains(t.Context()); ClassOf(err) != LoginFailed || s.logins != 3 {
		t.Errorf("%v, %d logins", err, s.logins)
	}
}

func TestLoginRefused(t *testing.T) {
	s := newProvider(t, load(t, shippedText(t, "mentana")))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := s.client(func(o *Options) {
		o.Password = secret.New("wrong")
		o.Now = func() time.Time { return now }
	})
	for range 3 {
		_, err := c.Domains(t.Context())
		if ClassOf(err) != LoginFailed || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v", err)
		}
	}
	if s.logins != 1 {
		t.Errorf("%d logins", s.logins)
	}
	now = now.Add(time.Hour)
	if _, err := c.Domains(t.Context()); ClassOf(err) != LoginFailed || s.logins != 2 {
		t.Errorf("%v, %d logins", err, s.logins)
	}
}

// Cookies are kept where the profile has sessions of cookies, and nowhere else.
func TestCookies(t *testing.T) {
	for session, want := range map[string]string{"token": "", "cookie": "s=1"} {
		p := profileWith(t, "mentana", "session: token", "session: "+session)
		s := newProvider(t, p)
		s.raw = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/services/session" {
				http.SetCookie(w, &http.Cookie{Name: "s", Value: "1", Path: "/"})
			} else if got := r.Header.Get("Cookie"); got != want {
				t.Errorf("%s: cookie %q", session, got)
			}
			return false
		}
		if session == "cookie" {
			s.token = ""
		}
		if _, err := s.client().Domains(t.Context()); err != nil {
			t.Errorf("%s: %v", session, err)
		}
	}
}

// Who gives up is answered at once, and knows whether the message may have been taken.
func TestCancel(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		s.hungUp = true
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		s.after = func(r *Request) {
			if r.Operation == OpSubmit {
				cancel()
				<-over
			}
		}
		_, err := s.client().Submit(ctx, small())
		close(over)
		if ClassOf(err) != InDoubt || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if _, err := s.client().Submit(ctx, small()); ClassOf(err) != Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
	})
}

// A provider that stands still is left after the profile's time; one that moves is not.
func TestStalled(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	synctest.Test(t, func(t *testing.T) {
		step := p.Limits.Timeout - time.Second
		moving := roundTripper(func(r *http.Request) (*http.Response, error) {
			for b := make([]byte, 200); ; time.Sleep(step) {
				if _, err := r.Body.Read(b); err != nil {
					break
				}
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c, err := New(Options{Profile: p, URL: "https://provider.example", HTTP: &http.Client{Transport: moving}, Spool: newSpool(t)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Submit(t.Context(), small())
		if ClassOf(err) != InDoubt || !errors.Is(err, errStalled) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took%step != p.Limits.Timeout%step || took < 3*step {
			t.Errorf("it took %v", took)
		}
	})
}

// A handler's own error comes back as it is, and what the handler left unread is no message.
func TestHandler(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		s.waiting["m"] = strings.Repeat("text\r\n", 50_000)
		s.hungUp = true
		c := s.client()
		disk := errors.New("disk full")
		if err := c.Fetch(t.Context(), "m", func(io.Reader) error { return disk }); err != disk { //nolint:errorlint // as it is
			t.Errorf("%v", err)
		}
		if err := c.Fetch(t.Context(), "m", func(in io.Reader) error { _, err := io.ReadFull(in, make([]byte, 10)); return err }); ClassOf(err) != Unavailable {
			t.Errorf("half read: %v", err)
		}
	})
}

func TestNew(t *testing.T) {
	p := load(t, shippedText(t, "mentana"))
	good := Options{Profile: p, URL: "https://provider.example:8443/", HTTP: &http.Client{Transport: http.DefaultTransport}, Spool: newSpool(t)}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for _, u := range []string{"", "http://provider.example", "https://", "https://user:pass@provider.example", "https://provider.example/path", "https://provider.example?x=1", "https:provider.example", "ftp://x"} {
		o := good
		o.URL = u
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: %v", u, err)
		}
	}
	for name, alter := range map[string]func(*Options){
		"profile": func(o *Options) { o.Profile = nil }, "client": func(o *Options) { o.HTTP = nil }, "spool": func(o *Options) { o.Spool = nil },
		"an account of XML": func(o *Options) { o.Account = "a\x00" }, "a password of XML": func(o *Options) { o.Password = secret.New("secret\x01") },
		"transport": func(o *Options) { o.HTTP = &http.Client{} },
	} {
		o := good
		alter(&o)
		if _, err := New(o); err == nil {
			t.Errorf("without %s", name)
		}
	}
}
