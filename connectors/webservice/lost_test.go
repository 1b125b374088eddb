package webservice

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the provider may have done is in doubt, and nothing else is.
func TestInDoubt(t *testing.T) {
	answers := func(status int, kind, text string) func(*provider, http.ResponseWriter, *Request) {
		return func(_ *provider, w http.ResponseWriter, _ *Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for name, answer := range map[string]func(*provider, http.ResponseWriter, *Request){
		"connection closed": func(s *provider, w http.ResponseWriter, _ *Request) { hijack(s.tb, w) },
		"cut in the answer": func(s *provider, w http.ResponseWriter, _ *Request) {
			w.Header().Set("Content-Type", s.contentType())
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "<soap:Envelope")
		},
		"bad gateway":        answers(http.StatusBadGateway, "text/html", "<html>no upstream</html>"),
		"gateway timeout":    answers(http.StatusGatewayTimeout, "text/plain", "late"),
		"internal error":     answers(http.StatusInternalServerError, "", ""),
		"a page for a robot": answers(http.StatusOK, "text/html", "<html/>"),
		"nothing":            answers(http.StatusNoContent, "", ""),
		"not XML":            func(s *provider, w http.ResponseWriter, r *Request) { answers(200, s.contentType(), "<a")(s, w, r) },
		"no envelope":        func(s *provider, w http.ResponseWriter, r *Request) { answers(200, s.contentType(), "<a/>")(s, w, r) },
		"without identifier": func(s *provider, w http.ResponseWriter, r *Request) {
			s.check(s.server.Write(w, OpSubmit, Values{}, nil))
		},
		"another's answer": func(s *provider, w http.ResponseWriter, r *Request) { s.fault(w, "Receiver", "Server") },
	} {
		t.Run(name, func(t *testing.T) {
			eachProfile(t, func(t *testing.T, s *provider) {
				s.before = func(w http.ResponseWriter, r *Request) bool {
					if r.Operation == OpLogin {
						return false
					}
					answer(s, w, r)
					return true
				}
				c := s.client()
				if _, err := c.Submit(t.Context(), small()); ClassOf(err) != InDoubt {
					t.Errorf("submit: %v", err)
				}
				if n := s.count(OpSubmit); n != 1 {
					t.Errorf("%d requests", n)
				}
				if _, err := c.Domains(t.Context()); name != "without identifier" && ClassOf(err) != Unavailable {
					t.Errorf("domains: %v", err)
				}
			})
		})
	}
}

func (s *provider) contentType() string {
	if s.server.Profile.soap == soap11 {
		return "text/xml; charset=UTF-8"
	}
	return "application/soap+xml"
}

// fault answers with a fault of a code of SOAP 1.2 or SOAP 1.1 alone.
func (s *provider) fault(w http.ResponseWriter, code12, code11 string) {
	text := `<f:Fault><f:Code><f:Value>f:` + code12 + `</f:Value></f:Code><f:Reason><f:Text xml:lang="en">secret subject</f:Text></f:Reason></f:Fault>`
	if s.server.Profile.soap == soap11 {
		text = `<f:Fault><faultcode>f:` + code11 + `</faultcode><faultstring>secret subject</faultstring></f:Fault>`
	}
	w.Header().Set("Content-Type", s.contentType())
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, `<f:Envelope xmlns:f="`+s.server.Profile.soap+`"><f:Body>`+text+`</f:Body></f:Envelope>`)
}

// What cannot have been taken may be tried again.
func TestNotSent(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	fresh := func(t *testing.T, raw func(w http.ResponseWriter, r *http.Request) bool) *Client {
		s := newProvider(t, p)
		s.raw = raw
		t.Cleanup(func() {
			if len(s.taken) != 0 {
				t.Errorf("%d taken", len(s.taken))
			}
		})
		return s.client()
	}
	s := newProvider(t, p)
	t.Run("nobody there", func(t *testing.T) {
		c := s.client(func(o *Options) {
			o.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })}
		})
		if _, err := c.Submit(t.Context(), small()); ClassOf(err) != Unavailable || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%v", err)
		}
	})
	t.Run("cut while sending", func(t *testing.T) {
		c := fresh(t, func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.ReadFull(r.Body, make([]byte, 64<<10))
			hijack(t, w)
			return true
		})
		sub := small()
		sub.Content = patterned(40 << 20)
		if _, err := c.Submit(t.Context(), sub); ClassOf(err) != Unavailable {
			t.Errorf("%v", err)
		}
	})
	for name, content := range map[string]Content{"shorter": lying{patterned(1000), 2000}, "longer": lying{patterned(2000), 1000}, "unreadable": unreadable{}} {
		t.Run("content "+name, func(t *testing.T) {
			sub := small()
			sub.Content = content
			c := fresh(t, func(w http.ResponseWriter, r *http.Request) bool {
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					t.Error("a request came whole")
				}
				return true
			})
			if _, err := c.Submit(t.Context(), sub); ClassOf(err) != Unavailable {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		sub := small()
		sub.Content = patterned(45<<20 + 1)
		if _, err := s.client().Submit(t.Context(), sub); ClassOf(err) != TooLarge {
			t.Errorf("%v", err)
		}
	})
	t.Run("not XML", func(t *testing.T) {
		for _, bad := range []string{"a\x00b", "a\x0bb", "\xff", "a\uffffb"} {
			sub := small()
			sub.Key = bad
			if _, err := s.client().Submit(t.Context(), sub); ClassOf(err) != Rejected || strings.Contains(err.Error(), bad) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
	if n := len(s.taken); n != 0 {
		t.Errorf("%d taken", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type lying struct {
	Content
	says int64
}

func (l lying) Size() int64 { return l.says }

type unreadable struct{}

func (unreadable) Size() int64                  { return 100 }
func (unreadable) Open() (io.ReadCloser, error) { return nil, errors.New("disk") }

// A message that a profile gives no place for is not the sender's fault.
func TestNoPlace(t *testing.T) {
	p := profileWith(t, "t-systems", `<d:Message size="${size}">`, `<d:Message siegel:if="receipt" size="${size}">`)
	s := newProvider(t, p)
	if _, err := s.client().Submit(t.Context(), small()); ClassOf(err) != Unavailable || !strings.Contains(err.Error(), "siegel:if") {
		t.Errorf("%v", err)
	}
	if n := s.count(OpSubmit); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// An upload that was given up hands its ending to nobody; one of whose ending a byte was handed over may have been acted upon, since the
// provider need not wait for the last line break.
func TestGivenUp(t *testing.T) {
	u := &upload{message: &message{head: []byte("head"), tail: bytes.Repeat([]byte("t"), ending)}, moved: func() {}}
	in, err := u.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if u.giveUp() {
		t.Error("half a request counts as sent")
	}
	if n, err := in.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errGivenUp) {
		t.Errorf("%d bytes, %v", n, err)
	}
	for _, n := range []int{5, 4 + ending - 2, 4 + ending} {
		begun := &upload{message: u.message, moved: func() {}}
		in, err = begun.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, make([]byte, n)); err != nil || !begun.giveUp() {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
