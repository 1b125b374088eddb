package smtpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// writeBlock is the most that is written under one deadline.
const writeBlock = 64 << 10

// Client is one connection to one server. It is used by one goroutine at a time. After an error, after 421
// and after Close it is of no further use: see Usable.
type Client struct {
	o      Options
	host   string
	raw    net.Conn // the TCP connection; closing it ends every read and write
	conn   net.Conn // raw, or TLS over it
	r      *bufio.Reader
	w      *bufio.Writer
	ext    map[string]string
	tls    *tls.ConnectionState
	dirty  bool // a transaction is open and must be reset
	closed bool
	buf    []byte // for commands and bodies
}

// Dial connects to addr ("host:port"), reads the greeting and brings up EHLO, TLS and AUTH as o asks. In
// opportunistic mode a failed TLS handshake is followed by a second, plain connection. The error is an
// *Error; it wraps a *Reply where the server refused.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	if o.TLS == "" {
		o.TLS = TLSOpportunistic
	}
	if !o.TLS.Valid() || o.Hello == "" || strings.ContainsAny(o.Hello, " \r\n<>\x00") {
		return nil, &Error{StageConnect, fmt.Errorf("smtpclient: unusable TLS mode %q or EHLO name %q", o.TLS, o.Hello)}
	}
	o.Timeouts = o.Timeouts.withDefaults()
	c, err := open(ctx, addr, o)
	var failure *Error
	if errors.As(err, &failure) && failure.Stage == StageTLS && o.TLS == TLSOpportunistic &&
		!o.Implicit && !errors.Is(err, ErrInjection) && !errors.Is(err, ErrNotPlain) && ctx.Err() == nil {
		o.TLS = TLSNone
		return open(ctx, addr, o)
	}
	return c, err
}

func open(ctx context.Context, addr string, o Options) (*Client, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &Error{StageConnect, err}
	}
	dial := o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	dialing, cancel := context.WithTimeout(ctx, o.Timeouts.Connect)
	conn, err := dial(dialing, "tcp", addr)
	cancel()
	if err != nil {
		return nil, &Error{StageConnect, err}
	}
	c := &Client{o: o, host: strings.TrimSuffix(host, "."), raw: conn}
	c.use(conn)
	defer c.watch(ctx)()
	if err := c.begin(ctx); err != nil {
		c.abort()
		return nil, c.because(ctx, err)
	}
	return c, nil
}

// begin brings a connection to the point where MAIL may be said.
func (c *Client) begin(ctx context.Context) error {
	if c.o.Implicit {
		if err := c.handshake(ctx); err != nil {
			return &Error{StageTLS, err}
		}
	}
	if err := c.expect(StageGreeting, c.o.Timeouts.Greeting, c.named()); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.tls == nil && c.o.TLS != TLSNone {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if c.o.Auth != nil {
		return c.authenticate()
	}
	return nil
}

// hello says EHLO, or HELO to a server that does not know it (RFC 5321, 3.2), and notes the extensions.
func (c *Client) hello() error {
	c.ext = map[string]string{}
	first, named := true, c.named()
	err := c.command(StageHello, "EHLO "+c.o.Hello, func(line string) {
		named(line)
		keyword, param, _ := strings.Cut(line, " ")
		if !first {
			c.ext[strings.ToUpper(keyword)] = param
		}
		first = false
	})
	var refusal *Reply
	if errors.As(err, &refusal) && refusal.Permanent() {
		c.ext = map[string]string{}
		return c.command(StageHello, "HELO "+c.o.Hello, c.named())
	}
	return err
}

// named hands on what the server calls itself in the first of the lines of a reply (RFC 5321, 4.2: the domain stands first).
func (c *Client) named() func(line string) {
	first := true
	return func(line string) {
		if name, _, _ := strings.Cut(line, " "); first && name != "" && c.o.Named != nil {
			c.o.Named(name)
		}
		first = false
	}
}

// startTLS moves the connection to TLS (RFC 3207, 4). A server that declines is left plain in opportunistic mode.
func (c *Client) startTLS(ctx context.Context) error {
	optional := c.o.TLS == TLSOpportunistic
	if _, ok := c.ext["STARTTLS"]; !ok {
		if optional {
			return nil
		}
		return &Error{StageTLS, ErrNoTLS}
	}
	var refusal *Reply
	err := c.command(StageTLS, "STARTTLS", nil)
	if errors.As(err, &refusal) && optional && refusal.Code != 421 {
		return nil
	}
	if err != nil {
		return err
	}
	if c.r.Buffered() > 0 {
		return &Error{StageTLS, ErrInjection}
	}
	if err := c.handshake(ctx); err != nil {
		return &Error{StageTLS, err}
	}
	return c.hello() // RFC 3207, 4.2: what was learned before TLS is forgotten
}

func (c *Client) handshake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Connect)
	defer cancel()
	c.raw.SetDeadline(time.Time{})
	shake := c.o.Handshake
	if shake == nil {
		shake = c.standard
	}
	conn, state, err := shake(ctx, c.raw, c.host)
	if err != nil {
		return err
	}
	c.tls = &state
	c.use(conn)
	return nil
}

// standard is the handshake where the options have none.
func (c *Client) standard(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
	config := &tls.Config{}
	if c.o.TLSConfig != nil {
		config = c.o.TLSConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.InsecureSkipVerify = config.InsecureSkipVerify || c.o.TLS != TLSVerified
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, tls.ConnectionState{}, err
	}
	return conn, conn.ConnectionState(), nil
}

// use makes conn the connection that is spoken over.
func (c *Client) use(conn net.Conn) {
	c.conn = conn
	if c.r == nil {
		c.r, c.w = bufio.NewReaderSize(conn, maxReplyLine), bufio.NewWriterSize((*blockWriter)(c), 16<<10)
		return
	}
	c.r.Reset(conn)
	c.w.Reset((*blockWriter)(c))
}

// blockWriter writes to a client's connection, each block under a deadline of its own.
type blockWriter Client

// Write writes p in blocks.
func (b *blockWriter) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		b.conn.SetWriteDeadline(time.Now().Add(b.o.Timeouts.DataBlock))
		k, err = b.conn.Write(p[n:min(len(p), n+writeBlock)])
		n += k
	}
	return n, err
}

// watch cuts the connection when ctx ends before the returned function is called.
func (c *Client) watch(ctx context.Context) (done func()) {
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	return func() {
		if !stop() {
			c.abort()
		}
	}
}

// because names the end of ctx as the cause of an error that it brought about.
func (c *Client) because(ctx context.Context, err error) error {
	var failure *Error
	if ctx.Err() != nil && errors.As(err, &failure) {
		return &Error{failure.Stage, context.Cause(ctx)}
	}
	return err
}

// reply flushes what was written and reads one reply within timeout. A 421 closes the client.
func (c *Client) reply(timeout time.Duration, each func(string)) (Reply, error) {
	if c.w.Buffered() > 0 {
		if err := c.w.Flush(); err != nil {
			return Reply{}, err
		}
	}
	c.conn.SetReadDeadline(time.Now().Add(timeout))
	r, err := readReply(c.r, each)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrEnded
	}
	if err != nil || r.Code == 421 {
		c.abort()
	}
	return r, err
}

// expect reads a reply that must be positive; a refusal is an *Error that wraps the *Reply.
func (c *Client) expect(stage Stage, timeout time.Duration, each func(string)) error {
	r, err := c.reply(timeout, each)
	if err == nil && !r.Positive() {
		err = &r
	}
	if err != nil {
		return &Error{stage, err}
	}
	return nil
}

func (c *Client) command(stage Stage, line string, each func(string)) error {
	c.w.WriteString(line)
	c.w.WriteString("\r\n") // a failed write fails the flush
	return c.expect(stage, c.o.Timeouts.Command, each)
}

// abort closes the connection without a word.
func (c *Client) abort() {
	c.closed = true
	c.raw.Close()
}

// Usable reports whether another message may be sent.
func (c *Client) Usable() bool { return !c.closed }

// TLS is the state of the TLS connection; nil where it is plain.
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// Host is the name or address that was dialled, without the port.
func (c *Client) Host() string { return c.host }

// Has reports whether the server offers an extension (upper case), and its parameter.
func (c *Client) Has(ext string) (param string, ok bool) {
	param, ok = c.ext[ext]
	return param, ok
}

// maxSize is the server's limit on message size, 0 where it names none (RFC 1870, 4).
func (c *Client) maxSize() int64 {
	n, _ := strconv.ParseInt(c.ext["SIZE"], 10, 64)
	return n
}

// Reset ends an open transaction, or checks that an idle connection still works.
func (c *Client) Reset(ctx context.Context) error {
	if c.closed {
		return &Error{StageEnvelope, ErrClosed}
	}
	defer c.watch(ctx)()
	if err := c.command(StageEnvelope, "RSET", nil); err != nil {
		c.abort()
		return c.because(ctx, err)
	}
	c.dirty = false
	return nil
}

// Close says QUIT, waits briefly for the answer and closes. A second call does nothing.
func (c *Client) Close() error {
	if c.closed {
		return nil
	}
	defer c.abort()
	c.conn.SetWriteDeadline(time.Now().Add(c.o.Timeouts.Quit))
	if _, err := c.conn.Write([]byte("QUIT\r\n")); err != nil {
		return &Error{StageEnd, err}
	}
	_, err := c.reply(c.o.Timeouts.Quit, nil)
	return err
}
