package smtpin

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	smtp "github.com/emersion/go-smtp"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// door stands between one connection and go-smtp. It works in lock-step: go-smtp reads only when it has
// answered everything it was given, and gets one command line at a time, so the door knows at each read how
// the last command was answered. All methods but interrupt run on the goroutine of the conversation.
type door struct {
	server *Server
	site   *site
	client client
	raw    net.Conn // the TCP connection
	link   net.Conn // raw, or TLS over it
	proof  proof    // by certificate

	in     *bufio.Reader // from link, through filler
	frame  frame         // of the message that is read now; nil between messages
	inData bool          // go-smtp waits for the end of a message
	chunk  *chunks       // a BDAT that go-smtp has not answered yet
	line   string        // the last command
	again  string        // a command that is read once more
	ready  []byte        // for go-smtp to read
	ended  error         // of all further reads
	linger bool          // the far end has sent what we did not read

	out      []byte // replies that have not gone out
	partial  []byte // the beginning of a reply line
	mute     int    // replies to be dropped
	lastCode int    // of the last reply

	extended bool // EHLO was said
	upgraded bool // STARTTLS has succeeded, a new conversation is to begin
	errors   int  // refused commands
	idle     int  // commands since the last message that brought none nearer
	logins   int  // refused logins
	messages int  // taken
	bytes    int64

	began time.Time // of the wait for a command
	fresh time.Time // the last message was taken, or the connection made
	brief time.Time // where it is not zero, a wait ends then
	first [1]byte   // read without a buffer
	early bool      // first is to be read
	pace  pace
}

const (
	bufferSize    = 4096
	safetextLimit = 300 // octets of a text in the log
)

func newDoor(s *Server, l *site, c net.Conn, from client) *door {
	return &door{server: s, site: l, client: from, raw: c, link: c, fresh: time.Now()}
}

// open shakes hands where TLS is implicit, greets, and begins to converse once something is said.
func (d *door) open() {
	d.takeReader()
	if d.site.Implicit {
		if err := d.secure(); err != nil {
			d.shut()
			return
		}
	}
	d.reply([]byte("220 " + d.site.Hostname + " ESMTP\r\n"))
	d.waits()
	if err := d.await(); err != nil {
		d.farewell(lineFault(err))
		d.shut()
		return
	}
	d.mute = 1 // go-smtp's greeting
	d.converse()
}

// converse hands the connection to go-smtp, which closes the conversation when it is over.
func (d *door) converse() {
	d.ended, d.upgraded, d.lastCode, d.extended = nil, false, 0, false
	sv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{door: d, talk: c}, nil
	}))
	sv.Domain = d.site.Hostname
	sv.MaxMessageBytes = d.site.MaxSize
	sv.MaxRecipients = d.site.MaxRecipients
	sv.MaxLineLength = 0 // the door sees to it
	sv.EnableSMTPUTF8, sv.EnableDSN = true, true
	sv.ErrorLog = quiet{d.site.Log}
	if d.secured() {
		sv.AllowInsecureAuth = true // go-smtp does not see our TLS
	} else if d.site.TLSConfig != nil {
		sv.TLSConfig = &d.server.offers
	}
	sv.Serve(&once{conn: &conversation{door: d}})
}

// quiet takes go-smtp's own log lines.
type quiet struct {
	log interface{ Warnf(string, ...any) }
}

// Printf implements smtp.Logger.
func (q quiet) Printf(format string, v ...any) { q.log.Warnf("smtpin: "+format, v...) }

// Println implements smtp.Logger.
func (q quiet) Println(v ...any) { q.log.Warnf("smtpin: %v", v) }

// once is a listener with one connection.
type once struct{ conn net.Conn }

// Accept implements net.Listener.
func (o *once) Accept() (net.Conn, error) {
	if o.conn == nil {
		return nil, net.ErrClosed
	}
	c := o.conn
	o.conn = nil
	return c, nil
}

// Close implements io.Closer.
func (o *once) Close() error { return nil }

// Addr implements net.Listener.
func (o *once) Addr() net.Addr { return nil }

// conversation is what go-smtp takes for a connection. STARTTLS ends one and begins another, so that nothing
// said before is remembered after (RFC 3207, 4.2).
type conversation struct {
	*door
	closed bool
}

// Read implements io.Reader.
func (c *conversation) Read(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.door.read(p)
}

// Write implements io.Writer.
func (c *conversation) Write(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	c.door.reply(p)
	return len(p), nil
}

// Close implements io.Closer.
func (c *conversation) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.upgraded {
		c.door.mute = 1 // the greeting was before
		c.converse()
		return nil
	}
	c.shut()
	return nil
}

// LocalAddr implements net.Conn.
func (c *conversation) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *conversation) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn: the door keeps time.
func (c *conversation) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn: the door keeps time.
func (c *conversation) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn: the door keeps time.
func (c *conversation) SetWriteDeadline(time.Time) error { return nil }

// secured reports whether the connection is under TLS.
func (d *door) secured() bool { return d.link != d.raw }

// secure shakes hands. A far end that does not is as silent as one that says no command.
func (d *door) secure() error {
	d.waits()
	defer d.pace.silent.Store(0)
	d.raw.SetDeadline(time.Now().Add(d.site.limits.Handshake))
	conn := tls.Server(d.raw, d.site.TLSConfig)
	if err := conn.Handshake(); err != nil {
		d.noteHandshake(err)
		return err
	}
	d.raw.SetDeadline(time.Time{})
	d.link = conn
	if d.proof = d.site.Clients.verify(conn.ConnectionState(), d.site.Now()); d.proof.err != nil {
		d.site.Log.WithFields(logrus.Fields{"listener": d.site.Name, "client": d.client.addr}).
			Info("smtpin: client certificate: " + safetext.Line(d.proof.err.Error(), safetextLimit))
	}
	d.in.Reset(filler{d})
	return nil
}

// noteHandshake logs why a handshake failed. That of a client outside the profile is somebody's configuration, and worth a line; others are
// mostly those who look at ports.
func (d *door) noteHandshake(err error) {
	log := d.site.Log.WithFields(logrus.Fields{"listener": d.site.Name, "client": d.client.addr})
	var broken *tlspolicy.Error
	if errors.As(err, &broken) {
		log.Info("smtpin: " + safetext.Line(broken.Error(), safetextLimit))
		return
	}
	log.WithError(err).Debug("smtpin: TLS handshake failed")
}

// describe is the client as an envelope has it.
func (d *door) describe(helo string) mail.Client {
	c := mail.Client{Listener: d.site.Name, Addr: d.client.addr, Helo: helo, Certificate: d.proof.name}
	if conn, ok := d.link.(*tls.Conn); ok {
		c.TLS = tlspolicy.StateOf(conn.ConnectionState(), true).String()
	}
	return c
}

var errUnread = errors.New("smtpin: replies cannot be sent")

// flush sends the replies that wait.
func (d *door) flush() error {
	if len(d.out) == 0 {
		return nil
	}
	d.link.SetWriteDeadline(time.Now().Add(d.site.limits.Write))
	_, err := d.link.Write(d.out)
	d.out = d.out[:0]
	if err != nil {
		d.ended = io.EOF
		return fmt.Errorf("%w: %v", errUnread, err) // a deadline of writing is none of reading
	}
	return nil
}

// shut ends the connection. What the far end still sends is read for a moment, since TCP would otherwise
// take our last reply back.
func (d *door) shut() {
	defer d.server.unregister(d)
	defer d.raw.Close()
	defer d.giveReader()
	d.flush()
	if !d.linger && d.in.Buffered() == 0 {
		d.link.Close()
		return
	}
	if c, ok := d.link.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	if c, ok := d.raw.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	const patience, most = 2 * time.Second, 1 << 20
	d.raw.SetReadDeadline(time.Now().Add(patience))
	io.CopyN(io.Discard, d.raw, most)
}
