package webservice

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Options are what a Client needs.
type Options struct {
	Profile *Profile
	// URL is the provider: https://HOST or https://HOST:PORT, without a path, which is the profile's.
	URL string
	// HTTP makes the connections; its transport holds roots and the client certificate. Its jar, timeout and redirect rule do not count.
	HTTP *http.Client
	// Account, User and Password are what requests may name. An empty one is not sent.
	Account, User string
	Password      secret.String
	// Spool keeps messages that come inline until the answer was read whole.
	Spool *atrest.Spool
	// Now is the time; nil: time.Now.
	Now func() time.Time
}

// Client calls a provider's service. It may be used from many goroutines at once.
type Client struct {
	options Options
	base    string
	http    http.Client
	session session
}

// New returns a client. It connects to nothing.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.Profile == nil || o.HTTP == nil || o.HTTP.Transport == nil || o.Spool == nil:
		return nil, errors.New("web service: a client needs a profile, an HTTP client with a transport, and a spool")
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "":
		return nil, errors.New("web service: the URL must be https://HOST or https://HOST:PORT")
	case !xmlText(o.Account) || !xmlText(o.User) || !xmlText(o.Password.Reveal()):
		return nil, errors.New("web service: account, user or password holds a character that XML cannot carry")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("web service: the URL must end with the host; paths are part of the profile")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Client{options: o, base: "https://" + u.Host, session: session{turn: make(chan struct{}, 1)}}
	c.http = http.Client{Transport: o.HTTP.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Profile is the profile of the client.
func (c *Client) Profile() *Profile { return c.options.Profile }

// session is what a login gave. Whoever has the turn may look at it, and keeps the turn while a login is under way: one does it for all.
type session struct {
	turn    chan struct{}
	open    bool
	token   secret.String
	jar     http.CookieJar
	number  int       // counts logins
	refused time.Time // a login was, then
}

var (
	errStalled = errors.New("nothing moved for longer than the profile's limits.timeout")
	errTotal   = errors.New("it took longer than the profile's limits.total")
)

// watch ends a call that stands still.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

func (w *watch) moved() { w.timer.Reset(w.limit) }

// watched reads an answer; only while it waits for the provider does the time count, not while who reads it does something else.
type watched struct {
	in io.Reader
	*watch
}

// Read waits no longer than the watch allows.
func (w *watched) Read(p []byte) (int, error) {
	w.moved()
	n, err := w.in.Read(p)
	w.timer.Stop()
	return n, err
}

// call is one exchange.
type call struct {
	client  *Client
	op      *operation
	values  Values
	content Content
	secrets []string
	session *sessionView
}

// sessionView is the session that a call is made in.
type sessionView struct {
	number int
	token  secret.String
	jar    http.CookieJar
}

// acts tells whether a second call would do something a second time.
func (c *call) acts() bool { return c.op.name == OpSubmit }

// fail makes an error. Where the call asked the provider for nothing that counts, nothing is in doubt.
func (c *call) fail(class Class, cause error, reason string) *Error {
	if class == InDoubt && !c.acts() {
		class = Unavailable
	}
	return &Error{Class: class, Operation: c.op.name, Reason: reason, cause: cause}
}

// do calls an operation and gives the answer to use, within the time of the call. A session that expired is renewed once.
func (c *Client) do(ctx context.Context, name Operation, v Values, content Content, use func(*call, *answer) error) error {
	op := c.options.Profile.operations[name]
	if op == nil {
		return fmt.Errorf("%w: %s", ErrMissing, name)
	}
	for attempt := 0; ; attempt++ {
		view, err := c.enter(ctx)
		if err != nil {
			return err
		}
		k := &call{client: c, op: op, values: v, content: content, session: view}
		err = c.exchange(ctx, k, use)
		if ClassOf(err) != SessionExpired {
			return err
		}
		c.leave(view)
		if attempt > 0 || c.options.Profile.session == "none" {
			return &Error{Class: LoginFailed, Operation: name, cause: err, Reason: "the provider asks for a login again, after one"}
		}
	}
}

// exchange sends a request and reads the answer.
func (c *Client) exchange(outer context.Context, k *call, use func(*call, *answer) error) error {
	p := c.options.Profile
	request, err := c.request(k)
	if errors.Is(err, errCharacter) {
		return k.fail(Rejected, err, err.Error())
	}
	if err != nil { // the profile's fault, not the message's
		return k.fail(Unavailable, err, err.Error())
	}
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	ctx, release := context.WithTimeoutCause(ctx, p.Limits.Total, errTotal)
	defer release()
	w := &watch{time.AfterFunc(p.Limits.Timeout, func() { cancel(errStalled) }), p.Limits.Timeout}
	defer w.timer.Stop()
	up := &upload{message: request, moved: w.moved}
	response, err := c.send(ctx, k, up)
	if err != nil {
		return k.lost(over(outer, ctx, err), up)
	}
	defer response.Body.Close()
	w.timer.Stop()
	a, err := k.receive(response, &watched{response.Body, w})
	if err == nil {
		if a != nil {
			defer a.close()
		}
		err = use(k, a)
	}
	return k.explain(outer, ctx, err, response)
}

// over is why a call ended: since its caller or our own bounds ended it, or else as err says.
func over(outer, ctx context.Context, err error) error {
	if outer.Err() != nil {
		return outer.Err()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// send makes the HTTP request (RFC 9110, 9.3.3).
func (c *Client) send(ctx context.Context, k *call, up *upload) (*http.Response, error) {
	body, err := up.open()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+k.op.path, body)
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	request.ContentLength = up.message.size()
	request.GetBody = up.open
	up.message.setHeader(request.Header)
	request.Header.Set("Accept", "application/soap+xml, text/xml, multipart/related")
	request.Header.Set("Accept-Encoding", "identity") // what is unpacked cannot be bounded as well
	request.Header.Set("User-Agent", "Siegel")
	client := c.http
	client.Jar = k.session.jar
	return client.Do(request)
}

// request renders the request of a call.
func (c *Client) request(k *call) (*message, error) {
	v := Values{
		"account": c.options.Account, "user": c.options.User, "password": c.options.Password, "session": k.session.token,
		"request": newUUID(), "now": c.options.Now().UTC().Format(time.RFC3339), "url": c.base + k.op.path,
	}
	for name, value := range k.values {
		v[name] = value
	}
	k.secrets = []string{c.options.Password.Reveal(), k.session.token.Reveal()}
	return c.options.Profile.compose(k.op.action, k.op.header, k.op.request, v, k.op.content(), k.content)
}

// newUUID is a random one (RFC 9562, 5.4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// lost is a call without an answer. Before the end of the request was handed to the connection, nobody can have acted on it.
func (k *call) lost(err error, up *upload) error {
	if up.giveUp() {
		return k.fail(InDoubt, err, "no answer came to the request: "+reasonOf(err))
	}
	return k.fail(Unavailable, err, "the request was not sent: "+reasonOf(err))
}

// reasonOf is the text of an error of the connection, without the URL, which says nothing new.
func reasonOf(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return strings.ToValidUTF8(err.Error(), "?")
}

// receive reads an answer as far as its XML; nil where it is rightly empty.
func (k *call) receive(response *http.Response, body io.Reader) (*answer, error) {
	p := k.client.options.Profile
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		return nil, k.fail(p.status(response.StatusCode, k.acts()), nil, "the provider sends us elsewhere, which is not followed; set the path in the profile")
	}
	if e := response.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, answerError("it is compressed, which was not asked for")
	}
	if k.op.name == OpAcknowledge && response.StatusCode < 300 && response.ContentLength == 0 {
		return nil, nil
	}
	var spool *atrest.Spool
	if k.op.name == OpFetch {
		spool = k.client.options.Spool
	}
	a, err := p.readAnswer(response.Header.Get("Content-Type"), body, spool)
	if err != nil && response.StatusCode >= 400 && errors.Is(err, errAnswer) {
		return nil, k.fail(p.status(response.StatusCode, k.acts()), err, statusReason(response.StatusCode))
	}
	if err != nil {
		return nil, err
	}
	if err := k.judge(a, response.StatusCode); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// statusReason says what to do about an answer that is no SOAP.
func statusReason(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the provider does not let us in; look at the client certificate and at the login"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusBadRequest:
		return "the provider knows no service of that form there; compare path, soap and content in the profile with its description"
	}
	return "the answer is no SOAP message"
}

// explain makes every error one of ours.
func (k *call) explain(outer, ctx context.Context, err error, response *http.Response) error {
	if err == nil {
		return nil
	}
	if h, ok := errors.AsType[*handlerError](err); ok {
		return h.err
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		err = over(outer, ctx, err)
		e = k.fail(InDoubt, err, reasonOf(err))
	}
	e.Status = response.StatusCode
	switch e.Class {
	case OverQuota:
		e.After = k.client.options.Profile.Limits.QuotaGap
	case Unavailable:
		e.After = retryAfter(response.Header.Get("Retry-After"), k.client.options.Now())
	}
	return e
}

// retryAfter reads RFC 9110, 10.2.3; what it does not understand, and more than a day, is zero.
func retryAfter(s string, now time.Time) time.Duration {
	after := time.Duration(0)
	if seconds, err := strconv.Atoi(s); err == nil {
		after = time.Duration(min(max(seconds, 0), 1<<30)) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		after = t.Sub(now)
	}
	if after < 0 || after > 24*time.Hour {
		return 0
	}
	return after
}

// enter gives the session to call in, and logs in where there is none.
func (c *Client) enter(ctx context.Context) (*sessionView, error) {
	p := c.options.Profile
	if p.session == "none" {
		return &sessionView{}, nil
	}
	s := &c.session
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, &Error{Class: Unavailable, Operation: OpLogin, Reason: "the login of another call did not end in time", cause: ctx.Err()}
	}
	if !s.open {
		if err := c.login(ctx, s); err != nil {
			return nil, err
		}
	}
	return &sessionView{s.number, s.token, s.jar}, nil
}

// leave forgets a session, unless another call has begun a new one.
func (c *Client) leave(view *sessionView) {
	c.session.turn <- struct{}{} // is free as soon as a login ends, which has a deadline
	defer func() { <-c.session.turn }()
	if c.session.number == view.number {
		c.session.open = false
	}
}

// login begins a session. A login that was refused is not tried again for a while: providers block accounts.
func (c *Client) login(ctx context.Context, s *session) error {
	p := c.options.Profile
	if again := s.refused.Add(p.Limits.LoginGap); !s.refused.IsZero() && c.options.Now().Before(again) {
		return &Error{Class: LoginFailed, Operation: OpLogin, Reason: "the provider refused the login; it is not tried again before " + again.UTC().Format(time.RFC3339)}
	}
	view := &sessionView{}
	if p.session == "cookie" {
		view.jar, _ = cookiejar.New(nil) // fails never
	}
	k := &call{client: c, op: p.operations[OpLogin], session: view}
	err := c.exchange(ctx, k, func(k *call, a *answer) error {
		if p.session != "token" {
			return a.resolve(nil)
		}
		if err := a.resolve(nil); err != nil {
			return err
		}
		token, err := k.field(a.body, "session")
		view.token = secret.New(token)
		return err
	})
	switch ClassOf(err) {
	case LoginFailed, Rejected, NotEntitled:
		s.refused = c.options.Now()
	}
	if err != nil {
		return err
	}
	s.number++
	s.open, s.token, s.jar, s.refused = true, view.token, view.jar, time.Time{}
	return nil
}
