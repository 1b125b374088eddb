package addin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/strictjson"
)

// Explainer says what would become of a message, and does nothing else. Its errors wrap explain.ErrQuestion where the question is at fault, and are temporary else.
type Explainer interface {
	Explain(context.Context, explain.Question) (explain.Answer, error)
}

// Pages are what is served as files.
type Pages struct {
	Files     fs.FS             // below Root; nil: none
	Documents map[string][]byte // by path, for what has to stand elsewhere
	Policy    string            // the Content-Security-Policy, without who may show the pages in a frame
	Frames    []string          // origins that may, beside those of Microsoft 365
}

// Bounds are how much may be asked.
type Bounds struct {
	PerMinute         int           // questions of one user, or of one address without a token
	RecipientsPerHour int           // different ones that one of these may ask about
	Recipients        int           // of one question; at most explain.MaxRecipients
	Timeout           time.Duration // of one answer
}

// Setup is what a reload may change. Settings.Authentication and what follows from others there are filled in.
type Setup struct {
	Origin      string // where it is reached: https://siegel.firma.example
	TLS         tlspolicy.Profile
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Settings    Settings
	Pages       Pages
	Verifier    token.Verifier
	Users       *Users
	Networks    []netip.Prefix // from which it may be asked without a token
	SpeakFor    mail.Patterns  // the From addresses that may be asked for then
	Bounds      Bounds
}

// maxBody is the largest body of a request: an address has a few hundred bytes at most, and a subject 8 KiB.
const maxBody = 256 << 10

// failuresPerMinute are the requests of one address, without a token that is believed, that are looked at in a minute; behind a proxy everybody has one.
const failuresPerMinute = 600

// maxAtOnce are the questions that are answered at once. Others are turned away, and may come again.
const maxAtOnce = 32

// handler answers by one Setup.
type handler struct {
	s        Setup
	host     string // as requests name it
	site     site
	settings []byte
	policy   string
	explain  Explainer
	users    *limiter
	strays   *limiter
	atOnce   chan struct{}
	turns    *turns
	figures  *figures
	log      logrus.FieldLogger
	now      func() time.Time
}

// newHandler makes what answers by s. What counts by the hour is taken from the handler before, if it has the same bounds.
func (o *Options) newHandler(s Setup, before *handler) (*handler, error) {
	u, err := url.Parse(s.Origin)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != strings.ToLower(u.Host) || s.Origin != "https://"+u.Host {
		return nil, fmt.Errorf("addin: %q is no origin as in https://siegel.firma.example", s.Origin)
	}
	s.Bounds.Recipients = min(s.Bounds.Recipients, explain.MaxRecipients)
	if b := s.Bounds; b.PerMinute < 1 || b.RecipientsPerHour < 1 || b.Recipients < 1 || b.Timeout <= 0 || s.Users == nil {
		return nil, errors.New("addin: a setup needs bounds and users")
	}
	h := &handler{s: s, host: u.Host, explain: o.Explain, figures: o.figures, log: o.Log, now: o.Now, atOnce: o.atOnce, turns: o.turns}
	if h.site, err = newSite(s.Pages.Files, s.Pages.Documents); err != nil {
		return nil, err
	}
	if h.settings, err = json.Marshal(s.complete()); err != nil {
		return nil, err
	}
	h.policy = s.Pages.policy()
	h.users, h.strays = newLimiter(s.Bounds.PerMinute, s.Bounds.RecipientsPerHour), newLimiter(failuresPerMinute, 1)
	if before != nil && before.users.perMinute == h.users.perMinute && before.users.perHour == h.users.perHour {
		h.users, h.strays = before.users, before.strays
	}
	return h, nil
}

// complete are the settings with what follows from the rest.
func (s Setup) complete() Settings {
	out := s.Settings
	var ways []string
	if s.Verifier.Entra != nil {
		ways = append(ways, ByEntra)
	}
	if s.Verifier.Exchange != nil {
		ways = append(ways, ByExchange)
	}
	if len(s.Networks) > 0 {
		ways = append(ways, ByNetwork)
	}
	out.Authentication, out.Alternatives = ByNothing, []string{}
	if len(ways) > 0 {
		out.Authentication, out.Alternatives = ways[0], append(out.Alternatives, ways[1:]...)
	}
	out.Limits = Limits{Recipients: s.Bounds.Recipients, Bytes: maxBody}
	for _, list := range []*[]string{&out.Tags.Sign, &out.Tags.Encrypt, &out.Tags.Plain, &out.Tags.TLS} {
		if *list == nil {
			*list = []string{}
		}
	}
	if out.DeMail.Options == nil {
		out.DeMail.Options = []DeMailOption{}
	}
	return out
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.secure(w.Header())
	if host := strings.ToLower(r.Host); strings.TrimSuffix(host, ":443") != h.host {
		h.fail(w, misdirected)
		return
	}
	switch r.URL.Path {
	case SettingsPath:
		if !h.method(w, r, http.MethodGet, http.MethodHead) {
			return
		}
		answer(w, http.StatusOK, h.settings)
	case ExplainPath:
		if h.method(w, r, http.MethodPost) {
			h.question(w, r)
		}
	default:
		f, ok := h.site[r.URL.Path]
		switch {
		case !ok:
			h.fail(w, notFound)
		case h.method(w, r, http.MethodGet, http.MethodHead):
			f.serve(w, r)
		}
	}
}

// method holds that a request has one of these methods. Others get no word about other origins: nobody but the pages may ask.
func (h *handler) method(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	if slices.Contains(allowed, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	h.fail(w, wrongMethod)
	return false
}

// question answers what a message would get. In this order: who asks, how often, what, for whom. Who is not known learns nothing but that.
func (h *handler) question(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(lasting(r.Context()), h.s.Bounds.Timeout)
	defer cancel()
	who, p := h.caller(ctx, r)
	if p != nil {
		h.fail(w, p)
		return
	}
	if wait := h.users.enter(who.key, h.now()); wait > 0 {
		h.figures.limited("questions")
		h.tooMany(w, wait)
		return
	}
	q, p := h.read(w, r)
	if p != nil {
		h.fail(w, p)
		return
	}
	from, p := who.may(q.From)
	if p != nil {
		h.figures.forbidden.Inc()
		h.fail(w, p)
		return
	}
	to, p := q.recipients(h.s.Bounds.Recipients)
	if p != nil {
		h.fail(w, p)
		return
	}
	if wait, first := h.users.ask(who.key, to, h.now()); wait > 0 {
		h.figures.limited("recipients")
		if first {
			h.log.WithFields(logrus.Fields{"from": from.String(), "client": who.address.String(), "way": who.way}).
				Warnf("Outlook: somebody asks about more than %d recipients within an hour, and is not answered until it is over; see whether this user sends mailings, or whether somebody looks for certificates", h.s.Bounds.RecipientsPerHour)
		}
		h.tooMany(w, wait)
		return
	}
	h.explained(ctx, w, q, from)
}

// explained asks the gateway and answers.
func (h *handler) explained(ctx context.Context, w http.ResponseWriter, q Question, from mail.Address) {
	select {
	case h.atOnce <- struct{}{}:
		defer func() { <-h.atOnce }()
	case <-ctx.Done():
		h.figures.limited("at-once")
		h.fail(w, unavailable)
		return
	}
	got, err := h.explain.Explain(ctx, q.asked(from))
	switch {
	case errors.Is(err, explain.ErrQuestion):
		// Whatever could be wrong with the question itself was refused before: no listener takes mail from this address.
		h.log.WithField("error", safetext.Line(err.Error(), 512)).Info("Outlook: somebody asks about mail that no listener takes")
		h.fail(w, notYours)
	case err != nil:
		h.trouble(w, "Outlook: what a message would get cannot be told", err)
	default:
		text, err := json.Marshal(answered(got))
		if err != nil {
			h.trouble(w, "Outlook: an answer cannot be written", err)
			return
		}
		h.figures.answered.Inc()
		answer(w, http.StatusOK, text)
	}
}

// read takes the body of a question.
func (h *handler) read(w http.ResponseWriter, r *http.Request) (q Question, p *problem) {
	// With this type a page of another origin has to ask first whether it may (Fetch, 3.2.2, CORS-preflight), and it may not.
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" || !strings.EqualFold(params["charset"], "utf-8") && params["charset"] != "" {
		return q, wrongType
	}
	if r.Header.Get("Content-Encoding") != "" {
		return q, wrongType
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return q, tooLarge
	case err != nil:
		return q, badRequest
	}
	return parseQuestion(text)
}

// parseQuestion reads a question, strictly.
func parseQuestion(text []byte) (q Question, p *problem) {
	if _, err := strictjson.Object(text); err != nil {
		return q, badRequest
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if d.Decode(&q) != nil || q.Size < 0 || q.Size > explain.MaxSize || len(q.Subject) > explain.MaxField || len(q.Flags.DeMail) > len(optionWords) {
		return Question{}, badRequest
	}
	for _, name := range q.Flags.DeMail {
		if optionWords[name] == "" {
			return Question{}, badRequest
		}
	}
	return q, nil
}

// recipients are the addresses of a question, each once.
func (q *Question) recipients(most int) ([]string, *problem) {
	if len(q.To)+len(q.Cc)+len(q.Bcc) > most {
		return nil, tooManyRecipients
	}
	var keys []string
	seen := map[string]bool{}
	for _, list := range []*[]string{&q.To, &q.Cc, &q.Bcc} {
		var kept []string
		for _, text := range *list {
			a, err := mail.ParseAddress(strings.TrimSpace(text))
			if err != nil {
				return nil, badRequest
			}
			if !seen[a.Key()] {
				seen[a.Key()] = true
				keys, kept = append(keys, a.Key()), append(kept, a.String())
			}
		}
		*list = kept
	}
	if len(keys) == 0 {
		return nil, badRequest
	}
	return keys, nil
}

// asked is a question as the gateway has it: the buttons are the fields that they set.
func (q Question) asked(from mail.Address) explain.Question {
	out := explain.Question{From: from.String(), To: q.To, Cc: q.Cc, Bcc: q.Bcc, Subject: q.Subject, Size: q.Size}
	for _, f := range []struct {
		set  bool
		line string
	}{
		{q.Flags.Sign, "X-Siegel-Sign: yes"}, {q.Flags.Encrypt, "X-Siegel-Encrypt: yes"}, {q.Flags.Plain, "X-Siegel-Plain: yes"}, {q.Flags.TLS, "X-Siegel-TLS: verified"},
	} {
		if f.set {
			out.Header = append(out.Header, f.line)
		}
	}
	var words []string
	for _, name := range q.Flags.DeMail {
		words = append(words, optionWords[name])
	}
	if len(words) > 0 {
		out.Header = append(out.Header, "X-Siegel-DeMail: "+strings.Join(words, ", "))
	}
	return out
}

// optionWords are the words of X-Siegel-DeMail for the options of the API; "yes" is De-Mail without any.
var optionWords = map[string]string{"yes": "yes", "sent": "dispatch", "received": "receipt", "collected": "retrieve", "confirmed": "authoritative", "personal": "private"}

// trouble answers with a fault of ours, by a reference that the log has too.
func (h *handler) trouble(w http.ResponseWriter, text string, err error) {
	p, ref := unavailable, reference()
	h.log.WithField("reference", ref).WithError(errors.New(safetext.Line(err.Error(), 1024))).Error(text)
	h.figures.failed.Inc()
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		p = internalFault
	}
	h.fail(w, p.with(ref))
}

// PageOf returns what reports whether a URL is one of the add-in's pages at an origin: what tokens of Exchange are for.
func PageOf(origin string) func(string) bool {
	return func(text string) bool {
		u, err := url.Parse(text)
		if err != nil || u.User != nil || u.Opaque != "" || path.Clean(u.Path)+"/" == Root || !strings.HasPrefix(path.Clean(u.Path), Root) {
			return false
		}
		return u.Scheme+"://"+strings.TrimSuffix(strings.ToLower(u.Host), ":443") == origin
	}
}
