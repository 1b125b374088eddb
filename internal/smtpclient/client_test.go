package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDialFailures(t *testing.T) {
	cases := map[string]struct {
		script string
		stage  Stage
		code   int // of the refusal; 0: other trouble
		is     error
	}{
		"refusing greeting":    {"S: 554 go away", StageGreeting, 554, nil},
		"busy greeting":        {"S: 421 later", StageGreeting, 421, nil},
		"greeting of HTTP":     {"S: HTTP/1.1 400 Bad Request", StageGreeting, 0, ErrProtocol},
		"gone before hello":    {"S: 220 hi\ndrop", StageHello, 0, nil},
		"code changes":         {"S raw 220-a\\r\\n250 b\\r\\n", StageGreeting, 0, ErrProtocol},
		"endless reply":        {"S raw " + strings.Repeat("220-x\\r\\n", 300), StageGreeting, 0, ErrProtocol},
		"endless line":         {"S raw 220 " + strings.Repeat("x", 5000), StageGreeting, 0, ErrProtocol},
		"HELO refused as well": {greeting + "S: 502 what\nC: HELO gw.example\nS: 550 no", StageHello, 550, nil},
		"EHLO for now":         {greeting + "S: 450 later", StageHello, 450, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.script)
			_, err := Dial(t.Context(), "mx.example:25", d.options())
			wantError(t, err, c.stage, c.code, c.is)
		})
	}
}

func wantError(t *testing.T, err error, stage Stage, code int, is error) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) || failure.Stage != stage {
		t.Fatalf("error %v, want one at stage %q", err, stage)
	}
	var refusal *Reply
	if got := errors.As(err, &refusal); got != (code != 0) || got && refusal.Code != code {
		t.Errorf("error %v, want code %d", err, code)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("error %v, want %v", err, is)
	}
}

func TestDialRefusesOptions(t *testing.T) {
	for _, o := range []Options{{}, {Hello: "a b"}, {Hello: "a\r\nRSET"}, {Hello: "a", TLS: "maybe"}} {
		if _, err := Dial(t.Context(), "mx.example:25", o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := Dial(t.Context(), "no port", Options{Hello: "a"}); err == nil {
		t.Error("an address without a port was taken")
	}
}

func TestHELO(t *testing.T) {
	d := newDialogues(t, greeting+`
		S: 502 5.5.2 unknown
		C: HELO gw.example
		S: 250 mx.example
		C: MAIL FROM:<a@firma.example>
		S: 250 ok
		C: RCPT TO:<b@x.example>
		S: 250 ok
		C: DATA
		S: 354 go
		C: hi
		C: .
		S: 250 taken
		C: QUIT
		S: 221 bye
	`)
	c := dial(t, d.options())
	res, err := c.Send(t.Context(), message("hi\r\n", "b@x.example"))
	if err != nil || codes(res) != "250" || res.Data.Text != "taken" {
		t.Errorf("%+v %v", res, err)
	}
	c.Close()
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := c.Send(t.Context(), message("hi\r\n", "b@x.example")); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
}

const offersTLS = greeting + `
	S: 250-mx.example
	S: 250-AUTH PLAIN LOGIN
	S: 250 STARTTLS
	C: STARTTLS
`

func TestSTARTTLS(t *testing.T) {
	const inside = offersTLS + `
		S: 220 go
		tls
		C: EHLO gw.example
		S: 250-mx.example
		S: 250 SIZE 1000
		C: QUIT
		S: 221 bye
	`
	config, roots := serverTLS(t)
	for _, mode := range []TLSMode{TLSOpportunistic, TLSRequired, TLSVerified} {
		t.Run(string(mode), func(t *testing.T) {
			d := newDialogues(t, inside)
			d.config = config
			o := d.options()
			o.TLS, o.TLSConfig = mode, config.Clone()
			o.TLSConfig.RootCAs = roots
			c := dial(t, o)
			if c.TLS() == nil || c.Host() != "mx.example" {
				t.Error("the connection is plain")
			}
			if _, ok := c.Has("STARTTLS"); ok {
				t.Error("what was said before TLS is still believed")
			}
			if size, ok := c.Has("SIZE"); !ok || size != "1000" {
				t.Errorf("SIZE %q %v", size, ok)
			}
		})
	}
}

func TestSTARTTLSFailures(t *testing.T) {
	const noTLS = greeting + "S: 250 mx.example\n"
	plainAfter := greeting + "S: 250 mx.example\nC: QUIT\nS: 221 bye"
	cases := map[string]struct {
		mode    TLSMode
		scripts []string
		is      error // nil: a plain connection comes of it
		code    int
	}{
		"not offered, opportunistic":   {TLSOpportunistic, []string{plainAfter}, nil, 0},
		"not offered, required":        {TLSRequired, []string{noTLS}, ErrNoTLS, 0},
		"not offered, verified":        {TLSVerified, []string{noTLS}, ErrNoTLS, 0},
		"declined, opportunistic":      {TLSOpportunistic, []string{offersTLS + "S: 454 4.7.0 no\nC: QUIT\nS: 221 bye"}, nil, 0},
		"declined, required":           {TLSRequired, []string{offersTLS + "S: 454 4.7.0 no"}, nil, 454},
		"busy, opportunistic":          {TLSOpportunistic, []string{offersTLS + "S: 421 later", plainAfter}, nil, 0},
		"bad handshake, opportunistic": {TLSOpportunistic, []string{offersTLS + "S: 220 go\ndrop", plainAfter}, nil, 0},
		"bad handshake, required":      {TLSRequired, []string{offersTLS + "S: 220 go\ndrop"}, nil, -1},
		"bad handshake, verified":      {TLSVerified, []string{offersTLS + "S: 220 go\ndrop"}, nil, -1},
		"untrusted, verified":          {TLSVerified, []string{offersTLS + "S: 220 go\ntls"}, nil, -1},
		"injection, opportunistic":     {TLSOpportunistic, []string{offersTLS + "S raw 220 go\\r\\n250 evil\\r\\n"}, ErrInjection, 0},
		"injection, required":          {TLSRequired, []string{offersTLS + "S raw 220 go\\r\\n250 evil\\r\\n"}, ErrInjection, 0},
	}
	config, _ := serverTLS(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.scripts...)
			d.config = config
			o := d.options()
			o.TLS = c.mode
			client, err := Dial(t.Context(), "mx.example:25", o)
			if c.is == nil && c.code == 0 {
				if err != nil || client.TLS() != nil {
					t.Fatalf("%v, want a plain connection", err)
				}
				client.Close()
				return
			}
			wantError(t, err, StageTLS, max(c.code, 0), c.is)
		})
	}
}

func TestImplicitTLS(t *testing.T) {
	config, roots := serverTLS(t)
	good := newDialogues(t, "tls\n"+greeting+"S: 250 mx.example\nC: QUIT\nS: 221 bye")
	good.config = config
	o := good.options()
	o.Implicit, o.TLS, o.TLSConfig = true, TLSVerified, config.Clone()
	o.TLSConfig.RootCAs = roots
	if c := dial(t, o); c.TLS() == nil {
		t.Error("the connection is plain")
	}
	bad := newDialogues(t, "drop") // one connection only: never again in plain
	o.Dial, o.TLS = bad.Dial, TLSOpportunistic
	_, err := Dial(t.Context(), "mx.example:465", o)
	wantError(t, err, StageTLS, 0, nil)
}

// A handshake of the caller's own stands in the place of ours, also after STARTTLS; where it fails nothing more is said.
func TestHandshake(t *testing.T) {
	config, roots := serverTLS(t)
	good := newDialogues(t, offersTLS+"S: 220 go\ntls\nC: EHLO gw.example\nS: 250 mx.example\nC: QUIT\nS: 221 bye")
	good.config = config
	o := good.options()
	o.TLS = TLSRequired
	asked := ""
	o.Handshake = func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
		asked = host
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the handshake may take for ever")
		}
		conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: roots})
		return conn, tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: 0xC028}, conn.HandshakeContext(ctx)
	}
	if c := dial(t, o); asked != "mx.example" || c.TLS().CipherSuite != 0xC028 {
		t.Errorf("asked for %q, state %+v", asked, c.TLS())
	}
	bad := newDialogues(t, offersTLS+"S: 220 go\ndrop")
	o.Dial = bad.Dial
	refused := errors.New("not as we want it")
	o.Handshake = func(context.Context, net.Conn, string) (net.Conn, tls.ConnectionState, error) {
		return nil, tls.ConnectionState{}, refused
	}
	_, err := Dial(t.Context(), "mx.example:25", o)
	wantError(t, err, StageTLS, 0, refused)
}

func TestAuth(t *testing.T) {
	config, _ := serverTLS(t)
	under := func(mechanisms, rest string) string {
		return offersTLS + "S: 220 go\ntls\nC: EHLO gw.example\nS: 250-mx.example\nS: 250 AUTH " + mechanisms + "\n" + rest
	}
	const quit = "\nC: QUIT\nS: 221 bye"
	cases := map[string]struct {
		mode   TLSMode
		script string
		is     error
		code   int
	}{
		"plain":         {TLSRequired, under("LOGIN2 PLAIN", "C: AUTH PLAIN AHUAcMOkc3M=\nS: 235 ok"+quit), nil, 0},
		"login":         {TLSRequired, under("LOGIN PLAIN", "C: AUTH LOGIN\nS: 334 VXNlcg==\nC: dQ==\nS: 334 x\nC: cMOkc3M=\nS: 235 ok"+quit), nil, 0},
		"refused":       {TLSRequired, under("PLAIN", "C: AUTH PLAIN AHUAcMOkc3M=\nS: 535 5.7.8 no"), nil, 535},
		"login refused": {TLSRequired, under("LOGIN", "C: AUTH LOGIN\nS: 504 no"), nil, 504},
		"none offered":  {TLSRequired, under("GSSAPI", ""), ErrAuthMechanism, 0},
		"no TLS":        {TLSOpportunistic, greeting + "S: 250-mx.example\nS: 250 AUTH PLAIN", ErrAuthPlain, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDialogues(t, c.script)
			d.config = config
			o := d.options()
			o.TLS, o.Auth = c.mode, &Auth{User: "u", Password: func() string { return "päss" }}
			client, err := Dial(t.Context(), "mx.example:587", o)
			if c.is == nil && c.code == 0 {
				if err != nil {
					t.Fatal(err)
				}
				client.Close()
				return
			}
			wantError(t, err, StageAuth, c.code, c.is)
			if strings.Contains(err.Error(), "päss") {
				t.Error("the error holds the password")
			}
		})
	}
}

// A server that hangs at any stage is left when that stage's time is over, and at once when the context ends.
func TestHang(t *testing.T) {
	const mailRcpt = greeting + `
		S: 250-mx.example
		S: 250 PIPELINING
		C: MAIL FROM:<a@firma.example>
		C: RCPT TO:<b@x.example>
		C: DATA
	`
	cases := map[string]struct {
		script  string
		stage   Stage
		timeout time.Duration
	}{
		"greeting":    {"hang", StageGreeting, 5 * time.Minute},
		"hello":       {"S: 220 hi\nhang", StageHello, 5 * time.Minute},
		"half a line": {greeting + "S raw 250-mx\nhang", StageHello, 5 * time.Minute},
		"mail":        {mailRcpt + "hang", StageEnvelope, 5 * time.Minute},
		"data":        {mailRcpt + "S: 250 ok\nS: 250 ok\nhang", StageEnvelope, 2 * time.Minute},
		"end":         {mailRcpt + "S: 250 ok\nS: 250 ok\nS: 354 go\nC: hi\nC: .\nhang", StageEnd, 10 * time.Minute},
	}
	for name, c := range cases {
		for _, cut := range []time.Duration{0, 7 * time.Second} {
			t.Run(name+map[bool]string{true: ", cut"}[cut > 0], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDialogues(t, c.script)
					d.pipe = true
					ctx := t.Context()
					want := c.timeout
					if cut > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, cut)
						defer cancel()
						want = cut
					}
					start := time.Now()
					client, err := Dial(ctx, "mx.example:25", d.options())
					if err == nil {
						var res Result
						res, err = client.Send(ctx, message("hi\r\n", "b@x.example"))
						if codes(res) != "0" {
							t.Errorf("codes %s, want none", codes(res))
						}
						if client.Usable() {
							t.Error("the client is still usable")
						}
					}
					wantError(t, err, c.stage, 0, nil)
					if took := time.Since(start); took != want {
						t.Errorf("took %v, want %v", took, want)
					}
					if cut > 0 && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error %v, want the context's", err)
					}
				})
			})
		}
	}
}

// A peer that stops reading in the middle of a message is left after DataBlock.
func TestHangWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		d := dialogues{}
		d.wg.Go(func() {
			d.serve(there, greeting+"S: 250 x\nC: MAIL FROM:<a@firma.example>\nS: 250 ok\nC: RCPT TO:<b@x.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: hi\nhang")
		})
		o := Options{Hello: "gw.example", TLS: TLSNone, Dial: func(context.Context, string, string) (net.Conn, error) {
			return &stalling{Conn: here, left: 100 << 10}, nil
		}}
		client, err := Dial(t.Context(), "mx.example:25", o)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		res, err := client.Send(t.Context(), message("hi\r\n"+strings.Repeat("line\r\n", 50000), "b@x.example"))
		wantError(t, err, StageBody, 0, nil)
		if took := time.Since(start); took < 3*time.Minute || took > 3*time.Minute+3*time.Second || codes(res) != "0" {
			t.Errorf("took %v, codes %s", took, codes(res))
		}
		d.wg.Wait()
	})
}

// stalling is a connection whose peer takes no more than left bytes.
type stalling struct {
	net.Conn
	left     int
	deadline time.Time
}

func (s *stalling) SetWriteDeadline(t time.Time) error {
	s.deadline = t
	return s.Conn.SetWriteDeadline(t)
}

func (s *stalling) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		time.Sleep(time.Until(s.deadline)) // of the bubble's time
		return 0, context.DeadlineExceeded
	}
	return s.Conn.Write(p)
}

// What a server calls itself is told as it says it: greeting, EHLO, and EHLO under TLS.
func TestNamed(t *testing.T) {
	config, _ := serverTLS(t)
	d := newDialogues(t, `
		S: 220-banner.example ESMTP
		S: 220 more
		C: EHLO gw.example
		S: 250-first.example at your service
		S: 250 STARTTLS
		C: STARTTLS
		S: 220 go
		tls
		C: EHLO gw.example
		S: 250 second.example
		C: QUIT
		S: 221 bye
	`, `
		S: 220 old.example
		C: EHLO gw.example
		S: 502 no.example
		C: HELO gw.example
		S: 250 older.example
		C: QUIT
		S: 221 bye
	`)
	d.config = config
	for _, want := range []string{"banner.example first.example second.example", "old.example no.example older.example"} {
		var names []string
		o := d.options()
		o.TLS, o.Named = TLSOpportunistic, func(name string) { names = append(names, name) }
		dial(t, o).Close()
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
