package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// How long one command may take inside the gateway.
const (
	storeTime  = 30 * time.Second
	reloadTime = 2 * time.Minute
)

// ControlOptions are what a [Control] steers. Store must be set.
type ControlOptions struct {
	Path  string // of the socket; empty: DefaultSocket
	Store queue.Store
	// Wake is told the destinations that an order made due; nil where nobody listens.
	Wake func(destinations ...string)
	// Ways knows where messages may go; nil: none is rerouted or returned.
	Ways Ways
	// Quarantine knows what becomes of copies in quarantine; nil: there is none.
	Quarantine Quarantine
	// Reload reads the configuration again. It returns nil where the new one is in force; otherwise the
	// old one is, and each line of the error's text is one thing to mend. It is never called twice at once.
	Reload func(ctx context.Context) error
	Checks []Check
	// More are checks that come and go with the settings; nil: none.
	More     func() []Check
	Recorder track.Recorder // takes the events of orders; nil: nobody
	Audit    Audit          // nil: acts stand in the log only
	Track    Track          // nil: no record is kept
	// Certs are the commands on certificates by name.
	Certs      map[string]CertsCommand
	Smartcards Smartcards // those of the configuration; nil: there are none
	DeMail     DeMail     // the record of De-Mail
	Explain    Explain    // nil: nothing is explained
	Log        logrus.FieldLogger
	Version    string
	Now        func() time.Time // nil: time.Now
}

// Control answers the commands of operators on a unix socket of mode 0600 in a directory of mode 0700.
// It talks HTTP with JSON:
//
//	GET  /v1/queue?id=&after=&sender=&recipient=&destination=&state=&before=&limit=   List
//	GET  /v1/queue/{id}          List: one message, or all variants of one that was accepted
//	POST /v1/queue/{act}         an Order to retry, hold, release, drop, return or reroute; Changes
//	POST /v1/quarantine/{act}    an Order to release, return or delete what is in quarantine; Changes
//	GET  /v1/track?sender=&…     track.Found: messages in the record, newest first
//	GET  /v1/track/{id}          track.Life
//	POST /v1/certs/{command}     a command on certificates: its question and its answer
//	GET  /v1/smartcards          []Smartcard: how those of the configuration are
//	POST /v1/smartcards/look     has all of them looked at now, and what waits for them tried
//	POST /v1/demail/{command}    a command on the record of De-Mail: its question and its answer
//	GET  /v1/demail/evidence?id=&stamp=   a ZIP with the evidence of one
//	POST /v1/explain             an explain.Question; explain.Answer
//	POST /v1/reload              the configuration, read again
//	GET  /v1/status              Status
//
// Only root and the user that the gateway runs as are let in. Call Listen once, then Serve once.
type Control struct {
	o       ControlOptions
	log     logrus.FieldLogger
	started time.Time
	server  *http.Server
	quit    *drain
	socket  *socket
	reload  sync.Mutex
}

// NewControl returns a Control; it touches nothing yet.
func NewControl(o ControlOptions) (*Control, error) {
	if o.Store == nil {
		return nil, errors.New("admin: a control socket needs a queue")
	}
	if o.Path == "" {
		o.Path = DefaultSocket
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi(nil)
	}
	c := &Control{o: o, log: orSilent(o.Log), started: o.Now()}
	c.quit = &drain{handler: c.routes()}
	c.server = newServer(c.quit, reloadTime+10*time.Second, c.log)
	c.server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if g, ok := conn.(*guest); ok {
			return context.WithValue(context.WithValue(ctx, userKey{}, g.user), loginKey{}, loginOf(g.Conn))
		}
		return ctx
	}
	return c, nil
}

// userKey finds the user id of the peer in a request's context.
type userKey struct{}

func (c *Control) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/queue", c.listQueue)
	mux.HandleFunc("GET /v1/queue/{id}", c.showQueue)
	mux.HandleFunc("POST /v1/queue/{act}", c.order)
	mux.HandleFunc("POST /v1/quarantine/{act}", c.quarantineOrder)
	mux.HandleFunc("GET /v1/track", c.findTrack)
	mux.HandleFunc("GET /v1/track/{id}", c.showTrack)
	mux.HandleFunc("POST /v1/reload", c.reloadConfig)
	mux.HandleFunc("GET /v1/status", c.status)
	mux.HandleFunc("GET /v1/smartcards", c.smartcards)
	mux.HandleFunc("POST /v1/smartcards/look", c.lookAtSmartcards)
	mux.HandleFunc("POST /v1/demail/{command}", func(w http.ResponseWriter, r *http.Request) { c.command(w, r, "demail", c.o.DeMail.Commands) })
	mux.HandleFunc("GET /v1/demail/evidence", c.evidence)
	all := http.NewServeMux()
	all.Handle("POST /v1/certs/{command}", http.MaxBytesHandler(http.HandlerFunc(c.certs), MaxCertsQuestion))
	all.Handle("POST /v1/explain", http.MaxBytesHandler(http.HandlerFunc(c.explain), MaxExplainQuestion))
	all.Handle("/", http.MaxBytesHandler(mux, maxQuestion))
	return all
}

// Listen makes the socket. It fails with [ErrInUse] where another gateway listens there, and replaces
// what a dead one left.
func (c *Control) Listen() error {
	s, err := listenSocket(c.o.Path)
	if err != nil {
		return err
	}
	c.socket = s
	return nil
}

// Path is where the socket is.
func (c *Control) Path() string { return c.o.Path }

// Serve answers until ctx ends, then removes the socket and returns nil after the last request has, at
// most 2 seconds later; a reload that is under way is waited for.
func (c *Control) Serve(ctx context.Context) error {
	if c.socket == nil {
		return errors.New("admin: Serve before Listen")
	}
	defer c.socket.release()
	return c.quit.serve(ctx, c.server, newGate(c.socket, 32, admitOwner))
}

func (c *Control) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	out := Status{Version: c.o.Version, PID: os.Getpid(), Started: c.started, Failing: []Failing{}}
	for _, f := range runChecks(ctx, c.o.Checks, c.o.More) {
		out.Failing = append(out.Failing, Failing{Name: f.check.Name, Error: f.err.Error(), Advice: f.check.Advice, Warning: f.check.Warning})
	}
	stats, err := c.o.Store.Stats(ctx)
	if err != nil {
		c.fail(w, err)
		return
	}
	out.Queue = Figures{Messages: stats.Messages, Recipients: stats.Recipients, Held: stats.Held, Pending: stats.Pending, Bytes: stats.Bytes, Oldest: stats.Oldest}
	writeJSON(w, http.StatusOK, out)
}

// reloadConfig is not cut short when the operator goes away: half a reload is worse than none.
func (c *Control) reloadConfig(w http.ResponseWriter, r *http.Request) {
	if c.o.Reload == nil {
		writeJSON(w, http.StatusNotImplemented, problem{Error: "this gateway cannot reload its configuration; restart it"})
		return
	}
	if !c.reload.TryLock() {
		writeJSON(w, http.StatusConflict, problem{Error: "another reload is under way; try again when it has ended"})
		return
	}
	defer c.reload.Unlock()
	if err := c.audit(r, Act{What: "reload"}); err != nil {
		c.fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reloadTime)
	defer cancel()
	if err := c.o.Reload(ctx); err != nil {
		c.act(r, "reload").WithField("reason", oneLine(err)).Warn("configuration refused, the old one stays in force")
		if err := c.audit(r, Act{What: "reload-refused", Detail: "the old configuration stays in force: " + safetext.Line(err.Error(), 300)}); err != nil {
			c.log.WithError(err).Error("that a reload was refused is not in the audit log")
		}
		writeJSON(w, http.StatusUnprocessableEntity, problem{Error: "the configuration was refused, the old one stays in force", Details: lines(err)})
		return
	}
	c.act(r, "reload").Info("configuration reloaded")
	writeJSON(w, http.StatusOK, struct{}{})
}
