package webservice

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// soapPrefix is bound to the SOAP namespace of the profile's version, in requests and in XPaths.
const soapPrefix = "soap"

// The namespaces of SOAP 1.1 and SOAP 1.2.
const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// maxProfile bounds the file of a profile.
const maxProfile = 1 << 20

// Profile is what a provider's service is like. It is immutable, and may be used from many goroutines at once.
type Profile struct {
	// Name is what the profile calls itself.
	Name string
	// Limits are what the provider takes, and what we take from it.
	Limits Limits

	soap       string // the namespace
	namespaces map[string]string
	path       string
	mtom       bool
	keyField   bool // the key goes into the message too, as X-de-mail-private-id
	booleans   [2]string
	understood [][2]string // header blocks of answers that may demand to be understood: namespace and name
	session    string      // none, cookie, token
	statuses   map[int]Class
	codes      []codeRule
	levels     map[string]string // of the provider, to normal or high
	operations map[Operation]*operation
}

// Limits bound requests and answers.
type Limits struct {
	Message  int64         // bytes of a message that is submitted
	Incoming int64         // bytes of a message that is fetched
	Answer   int64         // bytes of an answer, without the message in it
	Page     int           // how many are asked for at once
	Pages    int           // how many pages are asked for
	Timeout  time.Duration // without a byte moving
	Total    time.Duration // of one call, whatever moves
	LoginGap time.Duration // before a refused login is tried again
	QuotaGap time.Duration // before something is sent again beyond a quota
}

// operation is what the profile says of an operation.
type operation struct {
	definition
	path, action    string
	header, request *template
	root, each      *path
	fields          map[string]*path
	paging          string // none, number, offset, cursor
	first           int64
	more, next      *path
	example         *template
}

// codeRule finds a code in an answer, and gives it a class.
type codeRule struct {
	at      *path
	about   *path // the addresses that it concerns; nil where none are said
	good    []string
	classes map[string]Class
	other   Class
	example *template
}

// LoadFile reads a profile from a file. An error that concerns its content is a *ProfileError.
func LoadFile(name string) (*Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Load(f, name)
}

// Load reads a profile; file is what problems call it. Templates and XPaths are compiled here: what loads can be sent.
func Load(in io.Reader, file string) (*Profile, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxProfile+1))
	if err != nil {
		return nil, err
	}
	r := &yamlReader{file: file}
	if len(text) > maxProfile {
		r.failAt(0, "", "the file is longer than %d bytes", maxProfile)
		return nil, &ProfileError{r.problems}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		r.failAt(0, "", "this is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, &ProfileError{r.problems}
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.failAt(0, "", "the file holds more than one document; remove what is after the first ---")
	}
	p := r.profile(document.Content[0])
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, &ProfileError{r.problems}
	}
	return p, nil
}

func (r *yamlReader) profile(n *yaml.Node) *Profile {
	in := r.section(n, "", "name", "soap", "namespaces", "path", "content", "private_id", "booleans", "header", "understood", "session", "limits", "errors", "levels", "operations")
	p := &Profile{
		Name:     r.required(in, n, "", "name"),
		soap:     map[string]string{"1.1": soap11, "1.2": soap12}[r.choice(in["soap"], "soap", "1.2", "1.1")],
		mtom:     r.choice(in["content"], "content", "base64", "mtom") == "mtom",
		keyField: r.choice(in["private_id"], "private_id", "request", "header") == "header",
		path:     r.urlPath(in["path"], "path"), session: r.choice(in["session"], "session", "none", "cookie", "token"),
		booleans: [2]string{"false", "true"},
	}
	if p.Name != "" && !identifier(strings.ReplaceAll(p.Name, "-", "_")) {
		r.fail(in["name"], "name", "this must be a word of small letters and hyphens")
	}
	r.readNamespaces(p, in["namespaces"])
	if list := r.list(in["booleans"], "booleans"); len(list) == 2 && list[0] != list[1] {
		p.booleans = [2]string(list)
	} else if in["booleans"] != nil {
		r.fail(in["booleans"], "booleans", "this must be the two words for false and for true, as in [no, yes]")
	}
	p.Limits = r.limits(in["limits"])
	r.errors(p, in["errors"])
	r.levels(p, in["levels"])
	r.understood(p, in["understood"])
	r.operations(p, n, in["operations"], r.template(in["header"], "header", common, nil))
	return p
}

func (r *yamlReader) limits(n *yaml.Node) Limits {
	in := r.section(n, "limits", "message", "incoming", "answer", "page", "pages", "timeout", "total", "login_gap", "quota_gap")
	return Limits{
		Message:  r.size(in["message"], "limits.message", 45<<20, 512<<20),
		Incoming: r.size(in["incoming"], "limits.incoming", 90<<20, 512<<20),
		Answer:   r.size(in["answer"], "limits.answer", 4<<20, 64<<20),
		Page:     int(r.number(in["page"], "limits.page", 100, 1, 1000)),
		Pages:    int(r.number(in["pages"], "limits.pages", 100, 1, 1000)),
		Timeout:  r.duration(in["timeout"], "limits.timeout", time.Minute, time.Second, 10*time.Minute),
		Total:    r.duration(in["total"], "limits.total", 30*time.Minute, time.Second, 6*time.Hour),
		LoginGap: r.duration(in["login_gap"], "limits.login_gap", time.Hour, time.Minute, 24*time.Hour),
		QuotaGap: r.duration(in["quota_gap"], "limits.quota_gap", time.Hour, time.Minute, 24*time.Hour),
	}
}

// readNamespaces reads the prefixes.
func (r *yamlReader) readNamespaces(p *Profile, n *yaml.Node) {
	p.namespaces = map[string]string{}
	r.namespaces = map[string]string{soapPrefix: p.soap}
	if n == nil {
		return
	}
	for prefix, value := range r.section(n, "namespaces") {
		key := "namespaces." + shorten(prefix)
		space := r.text(value, key)
		switch {
		case !identifier(strings.ToLower(strings.Trim(prefix, "0123456789"))) || prefix[0] <= '9':
			r.fail(value, key, "a prefix is a word of letters")
		case slices.Contains([]string{soapPrefix, controlPrefix, "xml", "xmlns", "xop"}, prefix):
			r.fail(value, key, "this prefix has a meaning already; take another")
		case space == "" || !xmlText(space):
			r.fail(value, key, "a namespace cannot be empty")
		default:
			p.namespaces[prefix], r.namespaces[prefix] = space, space
		}
	}
}

// urlPath is where a request goes on the provider's host; empty where nothing is given.
func (r *yamlReader) urlPath(n *yaml.Node, key string) string {
	s := r.text(n, key)
	if n != nil && (!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"#%<>\^`+"`{|}", c)
	}) || slices.Contains(strings.Split(s, "/"), "..")) {
		r.fail(n, key, "this must be a path that begins with /, as in /services/mail; the host is part of the gateway's configuration")
	}
	return s
}

// understood reads the names of header blocks.
func (r *yamlReader) understood(p *Profile, n *yaml.Node) {
	for _, name := range r.list(n, "understood") {
		prefix, local, _ := strings.Cut(name, ":")
		if space, ok := r.namespaces[prefix]; ok && local != "" {
			p.understood = append(p.understood, [2]string{space, local})
		} else {
			r.fail(n, "understood", "this must be a list of names with prefixes of namespaces, as in [wsse:Security]")
		}
	}
}

// Form says in a few words how the profile speaks: the version of SOAP, and how a message travels.
func (p *Profile) Form() string {
	version, content := "SOAP 1.2", "the message as base64 in the XML"
	if p.soap == soap11 {
		version = "SOAP 1.1"
	}
	if p.mtom {
		content = "the message by MTOM"
	}
	return version + ", " + content
}

// Has tells whether the provider offers an operation. Without find, a submission in doubt stays so until somebody looks; without lookup there is no directory.
func (p *Profile) Has(op Operation) bool { return p.operations[op] != nil }

// ErrMissing is the answer of an operation that the profile does not have.
var ErrMissing = errors.New("web service: the profile has no such operation")

// status is the class of an HTTP status that came without a SOAP fault, for a call that did or did not ask the provider to act. RFC 9110, 15.
func (p *Profile) status(status int, acts bool) Class {
	if c, ok := p.statuses[status]; ok {
		return c
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return LoginFailed
	case status == http.StatusRequestEntityTooLarge:
		return TooLarge
	case status >= 500 && acts, status >= 200 && status < 300 && acts:
		return InDoubt // a proxy in front of the provider may have passed the request on
	}
	return Unavailable
}
