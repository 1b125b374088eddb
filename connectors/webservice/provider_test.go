package webservice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
)

// provider is the least of a provider: it keeps what it is given, and answers in the words of a profile.
type provider struct {
	tb      testing.TB
	server  *Server
	url     string
	http    *http.Client
	lock    sync.Mutex
	calls   []*Request
	taken   map[string]string // key to identifier
	sums    map[string]string // identifier to SHA-256 of what was submitted
	waiting map[string]string // identifier to message
	token   string
	logins  int
	// before may answer instead of the provider; it is given what was read.
	before func(w http.ResponseWriter, r *Request) bool
	// raw may answer before anything is read.
	raw func(w http.ResponseWriter, r *http.Request) bool
	// instead may take the place of the answer, once the provider has acted.
	instead func(w http.ResponseWriter, in *http.Request, r *Request) bool
	kept    []kept
	missing string // the address that does not exist
	domains []string
	hungUp  bool // the client may leave before the answer is over
	// after comes once the provider has acted and before it answers.
	after func(r *Request)
}

// kept is a message that was taken.
type kept struct {
	values  Values
	content []byte
}

const password = "Passwort-<&>-geheim"

func newProvider(tb testing.TB, p *Profile) *provider {
	tb.Helper()
	s := &provider{
		tb: tb, server: &Server{Profile: p, Spool: newSpool(tb)},
		taken: map[string]string{}, sums: map[string]string{}, waiting: map[string]string{}, token: "token-1",
		missing: "none@stadt.de-mail.example", domains: []string{"firma.de-mail.example", "firma2.de-mail.example"},
	}
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that leave
	web.StartTLS()
	tb.Cleanup(web.Close)
	s.url, s.http = web.URL, web.Client()
	return s
}

// client is one of the provider; alter may change its options.
func (s *provider) client(alter ...func(*Options)) *Client {
	s.tb.Helper()
	o := Options{
		Profile: s.server.Profile, URL: s.url, HTTP: s.http, Account: "firma & <söhne>", User: "gateway",
		Password: secret.New(password), Spool: newSpool(s.tb),
	}
	for _, f := range alter {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		s.tb.Fatal(err)
	}
	return c
}

func (s *provider) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	if s.raw != nil && s.raw(w, in) {
		return
	}
	r, err := s.server.Read(in)
	if err != nil {
		s.tb.Errorf("request: %v", err)
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	defer r.Close()
	s.lock.Lock()
	defer s.lock.Unlock()
	s.calls = append(s.calls, r)
	if s.before != nil && s.before(w, r) {
		return
	}
	if session, ok := r.Values["session"]; ok && session != s.token {
		s.check(s.server.Refuse(w, SessionExpired))
		return
	}
	s.act(w, in, r)
}

func (s *provider) check(err error) {
	if err != nil {
		s.tb.Error(err)
	}
}

// act does what an operation asks for.
func (s *provider) act(w http.ResponseWriter, in *http.Request, r *Request) {
	v, content := Values{"time": "2026-01-02T03:04:05+01:00"}, Content(nil)
	id, _ := r.Values["id"].(string)
	switch r.Operation {
	case OpLogin:
		s.logins++
		if r.Values["password"] != password {
			s.check(s.server.Refuse(w, LoginFailed))
			return
		}
		v["session"] = s.token
	case OpDomains:
		v["answers"] = []Values{{"domain": s.domains[0]}, {"domain": s.domains[1]}}
	case OpSubmit:
		v["id"] = s.submit(r)
	case OpFind:
		if id := s.taken[r.Values["key"].(string)]; id != "" {
			v["answers"] = []Values{{"id": id, "key": r.Values["key"]}, {"id": "other", "key": "other"}}[:len(s.server.Profile.operations[OpFind].fields)]
		}
	case OpList:
		s.page(r, v)
	case OpFetch:
		if s.waiting[id] == "" {
			s.check(s.server.Refuse(w, NotFound))
			return
		}
		content = textContent(s.waiting[id])
	case OpAcknowledge:
		delete(s.waiting, id)
	case OpLookup:
		if r.Values["address"] == s.missing {
			s.check(s.server.Refuse(w, NoSuchAddress))
			return
		}
		v["answers"] = []Values{{"address": r.Values["address"], "level": sortedKeys(s.server.Profile.levels)[0], "certificate": "AQID"}}
	}
	if s.after != nil {
		s.after(r)
	}
	if s.instead != nil && s.instead(w, in, r) {
		return
	}
	if err := s.server.Write(w, r.Operation, v, content); err != nil && !s.hungUp {
		s.tb.Error(err)
	}
}

func (s *provider) submit(r *Request) string {
	in, err := r.Message()
	if err != nil {
		s.tb.Error(err)
		return ""
	}
	defer in.Close()
	h, content := sha256.New(), &bytes.Buffer{}
	n, err := io.Copy(io.MultiWriter(h, content), in)
	if err != nil {
		if !s.hungUp {
			s.tb.Error(err)
		}
		return ""
	}
	if size, ok := r.Values["size"]; ok && size != strconv.FormatInt(n, 10) {
		s.tb.Errorf("%d bytes came, %s were announced", n, size)
	}
	id := fmt.Sprintf("id-%d", len(s.taken)+1)
	key, _ := r.Values["key"].(string)
	s.taken[key] = id
	s.kept = append(s.kept, kept{r.Values, content.Bytes()})
	s.sums[id] = hex.EncodeToString(h.Sum(nil))
	return id
}

// page answers two of the waiting at once.
func (s *provider) page(r *Request, v Values) {
	var ids []string
	for id := range s.waiting {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	from := 0
	if c, _ := r.Values["page_cursor"].(string); c != "" {
		from, _ = strconv.Atoi(strings.TrimPrefix(c, "after-"))
	}
	if n, ok := r.Values["page_number"].(string); ok {
		number, _ := strconv.Atoi(n)
		from = (number - 1) * 2
	}
	to := min(from+2, len(ids))
	var answers []Values
	for _, id := range ids[min(from, to):to] {
		answers = append(answers, Values{"id": id, "size": strconv.Itoa(len(s.waiting[id]))})
	}
	v["answers"], v["more"] = answers, to < len(ids)
	if to < len(ids) {
		v["next"] = fmt.Sprintf("after-%d", to)
	}
}

// last is the last request of an operation.
func (s *provider) last(op Operation) *Request {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, r := range slices.Backward(s.calls) {
		if r.Operation == op {
			return r
		}
	}
	s.tb.Fatalf("no %s came", op)
	return nil
}

// count is how many requests of an operation came.
func (s *provider) count(op Operation) int {
	s.lock.Lock()
	defer s.lock.Unlock()
	n := 0
	for _, r := range s.calls {
		if r.Operation == op {
			n++
		}
	}
	return n
}

// patterned is a content of any size that costs no memory. Its bytes are of all values.
type patterned int64

func (p patterned) Size() int64 { return int64(p) }

func (p patterned) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(&pattern{}, int64(p))), nil
}

func (p patterned) sum() string {
	h := sha256.New()
	in, _ := p.Open()
	_, _ = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil))
}

type pattern struct{ at int }

// block is what a pattern repeats; it has no length that base64 or a buffer has.
var block = func() []byte {
	b := make([]byte, 65_521)
	for i := range b {
		b[i] = byte(i * (i>>8 + 1))
	}
	return b
}()

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, block[p.at:])
	p.at = (p.at + n) % len(block)
	return n, nil
}

// eachProfile runs a test with every shipped profile.
func eachProfile(t *testing.T, f func(t *testing.T, s *provider)) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) { f(t, newProvider(t, load(t, shippedText(t, name)))) })
	}
}

// profileWith is a shipped profile with replacements, pairs of old and new.
func profileWith(tb testing.TB, name string, changes ...string) *Profile {
	tb.Helper()
	text := shippedText(tb, name)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			tb.Fatalf("%s holds no %q", name, changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return load(tb, text)
}
