package dmdaweb

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Account is a way into an account of the simulated provider. It is opened by a client certificate, by a password, or by both; by neither it is not.
type Account struct {
	Name     string         // what requests call it; one without a name is that of every request that names none
	Address  demail.Address // one of the account's
	User     string         // of the login; empty: nobody asks
	Password secret.String  // zero: a password opens nothing
	// Keys are the SHA-256 of the public keys (SubjectPublicKeyInfo) of the client certificates that are this account's; none: a certificate opens nothing.
	// One certificate may be that of several accounts (TR-01201 6.1, 10).
	Keys [][32]byte
}

// Options are what a Handler needs.
type Options struct {
	Provider *dmda.Simulated
	Profile  *webservice.Profile
	Accounts []Account
	Spool    *atrest.Spool // keeps messages while they are read
	Now      func() time.Time
	// Life is how long a session lasts; zero: ten minutes.
	Life time.Duration
	// Certificate is the client's, which somebody has verified; nil: that of the TLS connection.
	Certificate func(*http.Request) *x509.Certificate
	// Log is told of every request, when it is over or hangs; may be nil.
	Log func(Event)
}

// Event is a request that came. It holds nothing of a message.
type Event struct {
	Operation webservice.Operation // empty where it was none
	Account   demail.Address       // zero where nobody was let in
	Class     webservice.Class     // of a refusal; empty: none
	Code      int                  // the HTTP status of what is no request; 0 else
	Fault     Kind                 // what was done to it; empty: nothing
	ID        string               // of the message that it is about, where it is about one
	Waiting   int                  // of a list: how many lie there
	Why       string               // of a refusal
}

// Handler is the provider's web service. It is safe for concurrent use.
type Handler struct {
	o        Options
	server   *webservice.Server
	mu       sync.Mutex
	sessions map[string]*session
	faults   []Fault
	closed   chan struct{}
	once     sync.Once
}

// New makes one.
func New(o Options) (*Handler, error) {
	if o.Provider == nil || o.Profile == nil || o.Spool == nil || o.Now == nil {
		return nil, errors.New("dmdaweb: a simulated web service needs a provider, a profile, a spool and a clock")
	}
	if o.Life == 0 {
		o.Life = 10 * time.Minute
	}
	if o.Certificate == nil {
		o.Certificate = OfConnection
	}
	if o.Log == nil {
		o.Log = func(Event) {}
	}
	o.Accounts = slices.Clone(o.Accounts)
	return &Handler{o: o, server: &webservice.Server{Profile: o.Profile, Spool: o.Spool}, sessions: map[string]*session{}, closed: make(chan struct{})}, nil
}

// OfConnection is the client's certificate that the TLS server has verified.
func OfConnection(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.VerifiedChains[0][0]
}

// Paths are where requests go.
func (h *Handler) Paths() []string { return h.o.Profile.Paths() }

// Close ends what a fault keeps hanging. The handler answers no longer than its server does.
func (h *Handler) Close() { h.once.Do(func() { close(h.closed) }) }

// exchange is a request and what becomes of it.
type exchange struct {
	h       *Handler
	w       http.ResponseWriter
	in      *http.Request
	request *webservice.Request
	event   Event
	told    bool
}

// tell gives the event to the log, once.
func (x *exchange) tell() {
	if !x.told {
		x.told = true
		x.h.o.Log(x.event)
	}
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	w.Header().Set("Server", "SIMULATED De-Mail provider")
	w.Header().Set("Cache-Control", "no-store")
	x := &exchange{h: h, w: w, in: in}
	defer x.tell()
	if in.Method != http.MethodPost {
		x.plain(http.StatusMethodNotAllowed, "requests are made by POST")
		return
	}
	in.Body = x.torn(in.Body)
	r, err := h.server.Read(in)
	if err != nil {
		x.foreign(err)
		return
	}
	defer r.Close()
	x.request, x.event.Operation = r, r.Operation
	if x.before() {
		return
	}
	session, class, why := x.enter()
	if class != "" {
		x.refuse(class, why)
		return
	}
	x.act(session)
}

// foreign answers what is no request of the profile. That it was cut off nobody reads.
func (x *exchange) foreign(err error) {
	x.event.Why = err.Error()
	text := "the request is none of the profile's; siegel demail profile check shows those"
	if !errors.Is(err, webservice.ErrForeign) {
		text = "the request cannot be read: " + err.Error()
	}
	x.plain(http.StatusBadRequest, text)
}

// plain answers in words, outside SOAP.
func (x *exchange) plain(status int, text string) {
	x.event.Code = status
	http.Error(x.w, dmda.Simulation+"\n\n"+text, status)
}

// refuse answers in the profile's words, or by HTTP where it has none for that. Addresses are those that it is about.
func (x *exchange) refuse(class webservice.Class, why string, addresses ...string) {
	x.event.Class, x.event.Why = class, why
	for _, c := range append([]webservice.Class{class}, instead[class]...) {
		err := x.h.server.Refuse(x.w, c, addresses...)
		if errors.Is(err, webservice.ErrNoExample) {
			continue
		}
		x.sent(err)
		return
	}
	status := map[webservice.Class]int{
		webservice.LoginFailed: http.StatusUnauthorized, webservice.SessionExpired: http.StatusUnauthorized, webservice.TooLarge: http.StatusRequestEntityTooLarge,
		webservice.Unavailable: http.StatusServiceUnavailable,
	}[class]
	if status == 0 {
		status = http.StatusBadRequest
	}
	x.plain(status, "refused, and the profile has no example of such a refusal: "+string(class))
}

// instead are the classes that a profile may have in place of another.
var instead = map[webservice.Class][]webservice.Class{
	webservice.OverQuota: {webservice.NotEntitled, webservice.Rejected}, webservice.NotEntitled: {webservice.Rejected},
	webservice.NoSuchAddress: {webservice.Rejected}, webservice.NotFound: {webservice.Rejected}, webservice.TooLarge: {webservice.Rejected},
	webservice.SessionExpired: {webservice.LoginFailed},
}

// sent ends the connection where an answer could not be written whole.
func (x *exchange) sent(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// answer gives the answer, unless a fault is in its way.
func (x *exchange) answer(v webservice.Values, content webservice.Content) {
	if x.after(v, content) {
		return
	}
	err := x.h.server.Write(x.w, x.request.Operation, v, content)
	if !errors.Is(err, webservice.ErrNoExample) {
		x.sent(err)
		return
	}
	if x.request.Operation == webservice.OpAcknowledge {
		x.w.WriteHeader(http.StatusNoContent)
		return
	}
	x.event.Why = "the profile has no example of the answer"
	x.plain(http.StatusNotImplemented, "carried out, and the profile has no example of the answer; add it to operations."+string(x.request.Operation)+".example")
}

// wait lets time pass, unless the client leaves or the handler is closed.
func (x *exchange) wait(d time.Duration) {
	ctx, cancel := context.WithTimeout(x.in.Context(), d)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-x.h.closed:
	}
}

// held is a message in memory.
type held []byte

// Size is its length.
func (c held) Size() int64 { return int64(len(c)) }

// Open gives it.
func (c held) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
