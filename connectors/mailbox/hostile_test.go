package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/connectors"
)

// play is an IMAP server that says what a test wants: the key is how a command begins after its tag, and $ stands for the tag.
type play map[string]string

// a server that behaves, with one message of twelve bytes.
func sound() play {
	return play{
		"greeting":               "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE] hello\r\n",
		"AUTHENTICATE":           "$ OK [CAPABILITY IMAP4rev1 UIDPLUS MOVE] in\r\n",
		"CAPABILITY":             "* CAPABILITY IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE\r\n$ OK\r\n",
		"STATUS":                 "* STATUS Done (MESSAGES 0)\r\n$ OK\r\n",
		"SELECT":                 "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n$ OK [READ-WRITE] selected\r\n",
		"EXAMINE":                "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n$ OK [READ-ONLY] selected\r\n",
		"UID SEARCH":             "* SEARCH 42\r\n$ OK\r\n",
		"UID FETCH 42 (UID RFC8": "* 1 FETCH (UID 42 RFC822.SIZE 12)\r\n$ OK\r\n",
		"UID FETCH 42 (UID BODY": "* 1 FETCH (UID 42 BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\n)\r\n$ OK\r\n",
		"UID MOVE":               "* 1 EXPUNGE\r\n$ OK moved\r\n",
		"LOGOUT":                 "* BYE\r\n$ OK\r\n",
	}
}

// with is a server that says something else for one command.
func (p play) with(command, answer string) play {
	out := play{}
	for k, v := range p {
		out[k] = v
	}
	out[command] = answer
	return out
}

// serve plays on one connection. What begins with ENDLESS is said for ever, what ends with CUT ends the connection.
func (p play) serve(c net.Conn, said *[]string) {
	defer c.Close()
	if !p.say(c, p["greeting"], "") {
		return
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		best, answer := "", "$ BAD what\r\n"
		for k, v := range p {
			if strings.HasPrefix(command, k) && len(k) > len(best) {
				best, answer = k, v
			}
		}
		*said = append(*said, command)
		if !p.say(c, answer, tag) {
			return
		}
	}
}

func (p play) say(w io.Writer, text, tag string) bool {
	text = strings.ReplaceAll(text, "$", tag)
	if more, ok := strings.CutPrefix(text, "ENDLESS"); ok {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(w, more)
		}
		return false
	}
	text, cut := strings.CutSuffix(text, "CUT")
	_, err := io.WriteString(w, text)
	return err == nil && !cut
}

// plain is the way to it: there is no TLS, which is another test's.
func (p play) options(said *[]string, done chan struct{}) Options {
	o := good()
	o.Retrieval.TLS = func(_ context.Context, raw net.Conn, _ string) (net.Conn, tls.ConnectionState, error) {
		return raw, tls.ConnectionState{}, nil
	}
	o.Retrieval.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { p.serve(far, said); close(done) }()
		return near, nil
	}
	o.Done = "Done"
	return o
}

// fetch fetches what p has.
func (p play) fetch(t *testing.T) (got []string, said []string, err error) {
	t.Helper()
	done := make(chan struct{})
	err = provider(t, p.options(&said, done)).Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
		data, err := io.ReadAll(in.Content)
		if err == nil {
			got = append(got, in.ID+" "+string(data))
		}
		return err
	})
	<-done
	return got, said, err
}

const whole = "INBOX/7/42 A: b\r\n\r\nhi\r\n"

// Whatever a server says, the answer is a message, or an error of the contract in bounded memory; a message that did not come whole is not moved.
func TestHostile(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	long := strings.Repeat("x", 3000)
	body := "UID FETCH 42 (UID BODY"
	for name, c := range map[string]struct {
		server play
		got    string // of the one message
		class  error
	}{
		"sound":               {sound(), whole, nil},
		"no greeting":         {sound().with("greeting", "CUT"), "", connectors.ErrUnavailable},
		"another protocol":    {sound().with("greeting", "220 mail.example ESMTP\r\n"), "", connectors.ErrUnavailable},
		"endless greeting":    {sound().with("greeting", "ENDLESS* OK"+long), "", connectors.ErrUnavailable},
		"endless greetings":   {sound().with("greeting", "ENDLESS* OK "+long+"\r\n"), "", connectors.ErrUnavailable},
		"BYE":                 {sound().with("greeting", "* BYE hunter\r\n"), "", connectors.ErrUnavailable},
		"PREAUTH":             {sound().with("greeting", "* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS MOVE] in\r\n"), whole, nil},
		"no way to log in":    {sound().with("greeting", "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"), "", connectors.ErrLogin},
		"LOGIN":               {sound().with("greeting", "* OK [CAPABILITY IMAP4rev1] hi\r\n").with("LOGIN", "$ OK [CAPABILITY IMAP4rev1 UIDPLUS MOVE] in\r\n"), whole, nil},
		"login refused":       {sound().with("AUTHENTICATE", "$ NO [AUTHENTICATIONFAILED] p is wrong\r\n"), "", connectors.ErrLogin},
		"login in vain":       {sound().with("AUTHENTICATE", "$ BAD p\r\n"), "", connectors.ErrLogin},
		"login later":         {sound().with("AUTHENTICATE", "$ NO [UNAVAILABLE] p\r\n"), "", connectors.ErrUnavailable},
		"endless challenges":  {sound().with("AUTHENTICATE", "ENDLESS+ \r\n"), "", connectors.ErrUnavailable},
		"asked again":         {sound().with("AUTHENTICATE", "+ AAAA\r\n"), "", connectors.ErrUnavailable},
		"a panic of old":      {sound().with("SELECT", "* OK [CLOSED] x\r\n* OK [PERMANENTFLAGS (\\*)]\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"no UIDPLUS, no MOVE": {sound().with("AUTHENTICATE", "$ OK [CAPABILITY IMAP4rev1] in\r\n"), "", connectors.ErrUnavailable},
		"no folder":           {sound().with("STATUS", "$ NO [NONEXISTENT] where\r\n"), "", connectors.ErrUnavailable},
		"no INBOX":            {sound().with("SELECT", "$ NO none\r\n"), "", connectors.ErrUnavailable},
		"no UIDVALIDITY":      {sound().with("SELECT", "* 1 EXISTS\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"too many":            {sound().with("SELECT", "* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"another's tag":       {sound().with("SELECT", "hunter OK\r\n"), "", connectors.ErrUnavailable},
		"unknown data":        {sound().with("SELECT", "* WHATEVER\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"endless list":        {sound().with("UID SEARCH", "ENDLESS 1"), "", connectors.ErrUnavailable},
		"endless searches":    {sound().with("UID SEARCH", "ENDLESS* SEARCH 1 2 3\r\n"), "", connectors.ErrUnavailable},
		"a range of all":      {sound().with("UID SEARCH", "* ESEARCH (TAG \"$\") UID ALL 1:4294967295\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"a range without end": {sound().with("UID SEARCH", "* ESEARCH UID ALL 1:*\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"UID nought":          {sound().with("UID SEARCH", "* SEARCH 0\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"deep":                {sound().with("UID SEARCH", "* ESEARCH UID X "+strings.Repeat("(", 5000)+"\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"nothing":             {sound().with("UID SEARCH", "* SEARCH\r\n$ OK\r\n"), "", nil},
		"twice":               {sound().with("UID SEARCH", "* SEARCH 42 42\r\n$ OK\r\n"), whole, nil},
		"gone":                {sound().with(body, "$ OK\r\n"), "", nil},
		"expunged":            {sound().with(body, "$ NO [EXPUNGEISSUED] x\r\n"), "", connectors.ErrUnavailable},
		"no size":             {sound().with("UID FETCH 42 (UID RFC8", "$ OK\r\n").with("UID FETCH 42 (UID BODY.PEEK[]<12.", "* 1 FETCH (UID 42 BODY[]<12> \"\")\r\n$ OK\r\n"), whole, nil},
		"less than said":      {sound().with("UID FETCH 42 (UID RFC8", "* 1 FETCH (UID 42 RFC822.SIZE 13)\r\n$ OK\r\n").with("UID FETCH 42 (UID BODY.PEEK[]<12.", "* 1 FETCH (UID 42 BODY[]<12> NIL)\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"nothing of it":       {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> NIL)\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"more than said":      {sound().with("UID FETCH 42 (UID RFC8", "* 1 FETCH (UID 42 RFC822.SIZE 2)\r\n$ OK\r\n").with("UID FETCH 42 (UID BODY.PEEK[]<12.", "* 1 FETCH (UID 42 BODY[]<12> {0}\r\n)\r\n$ OK\r\n"), whole, nil},
		"drop by drop":        {sound().with("UID FETCH 42 (UID RFC8", "* 1 FETCH (UID 42 RFC822.SIZE 13)\r\n$ OK\r\n").with("UID FETCH 42 (UID BODY.PEEK[]<12.", "* 1 FETCH (UID 42 BODY[]<12> {1}\r\nx)\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"far too large":       {sound().with("UID FETCH 42 (UID RFC8", "* 1 FETCH (UID 42 RFC822.SIZE 9223372036854775807)\r\n$ OK\r\n"), "", connectors.ErrTooLarge},
		"a size that is none": {sound().with("UID FETCH 42 (UID RFC8", "* 1 FETCH (UID 42 RFC822.SIZE 99999999999999999999)\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"a large piece":       {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> {2000000}\r\nA: b"+strings.Repeat("x", 2000000-4)+")\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"a promise":           {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> {9223372036854775807}\r\nA: bCUT"), "", connectors.ErrUnavailable},
		"cut":                 {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> {12}\r\nA: b\r\n\r\nhCUT"), "", connectors.ErrUnavailable},
		"cut after it":        {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\nCUT"), "", connectors.ErrUnavailable},
		"another's":           {sound().with(body, "* 1 FETCH (UID 41 BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\n)\r\n$ OK\r\n"), "", nil},
		"another piece":       {sound().with(body, "* 1 FETCH (UID 42 BODY[]<3> {12}\r\nA: b\r\n\r\nhi\r\n)\r\n$ OK\r\n"), "", nil},
		"beside others":       {sound().with(body, "* 9 EXISTS\r\n* 3 FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n* 1 FETCH (UID 42 BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\n)\r\n* 2 FETCH (UID 1 BODY[] \"x\")\r\n$ OK\r\n"), whole, nil},
		"twice in one":        {sound().with(body, "* 1 FETCH (UID 42 BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\n BODY[]<0> \"evil\")\r\n$ OK\r\n"), whole, nil},
		"endless attributes":  {sound().with(body, "* 1 FETCH (UID 42"+strings.Repeat(" FLAGS ()", 200000)+")\r\n$ OK\r\n"), "", connectors.ErrUnavailable},
		"endless fetches":     {sound().with(body, "ENDLESS* 1 FETCH (UID 42 BODY[]<0> \"x\")\r\n"), "", connectors.ErrUnavailable},
		"kept":                {sound().with("UID MOVE", "$ NO [CANNOT] x\r\n"), whole, connectors.ErrUnavailable},
		"lost when moved":     {sound().with("UID MOVE", "CUT"), whole, connectors.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			got, said, err := c.server.fetch(t)
			if connectors.Class(err) != c.class {
				t.Errorf("the error is %v, of the class %v, not %v", err, connectors.Class(err), c.class)
			}
			if all := strings.Join(got, ", "); all != c.got {
				t.Errorf("fetched: %q", all)
			}
			if moved := strings.Contains(strings.Join(said, "\n"), "UID MOVE 42 "); moved != (c.got != "") {
				t.Errorf("moved: %v", moved)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "p is wrong")) {
				t.Errorf("the error repeats the server: %v", err)
			}
		})
	}
}

// A message that the server does not give, or does not let go, holds up no other. A server that gives none is not asked for all of them.
func TestFetchGoesOn(t *testing.T) {
	many := sound()
	many["UID SEARCH"] = "* SEARCH 41 42 43 44 45 46 47 48\r\n$ OK\r\n"
	for uid := 41; uid <= 48; uid++ {
		many[fmt.Sprintf("UID FETCH %d (UID RFC8", uid)] = fmt.Sprintf("* 1 FETCH (UID %d RFC822.SIZE 12)\r\n$ OK\r\n", uid)
		many[fmt.Sprintf("UID FETCH %d (UID BODY", uid)] = fmt.Sprintf("* 1 FETCH (UID %d BODY[]<0> {12}\r\nA: b\r\n\r\nhi\r\n)\r\n$ OK\r\n", uid)
	}
	none := many.with("UID SEARCH", many["UID SEARCH"])
	for uid := 41; uid <= 48; uid++ {
		none[fmt.Sprintf("UID FETCH %d (UID RFC8", uid)] = "$ NO [CORRUPTION] x\r\n"
	}
	for name, c := range map[string]struct {
		server     play
		got, asked int
	}{
		"no size":      {many.with("UID FETCH 41 (UID RFC8", "$ NO [CORRUPTION] x\r\n"), 7, 8},
		"no content":   {many.with("UID FETCH 43 (UID BODY", "$ NO [CORRUPTION] x\r\n"), 7, 8},
		"not let go":   {many.with("UID MOVE 41", "$ NO [CANNOT] x\r\n"), 8, 8},
		"connection":   {many.with("UID FETCH 43 (UID BODY", "CUT"), 2, 3},
		"none of them": {none, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, said, err := c.server.fetch(t)
			if connectors.Class(err) != connectors.ErrUnavailable {
				t.Errorf("%v", err)
			}
			if asked := strings.Count(strings.Join(said, "\n"), "RFC822.SIZE"); len(got) != c.got || asked != c.asked {
				t.Errorf("%d were fetched, %d asked for", len(got), asked)
			}
		})
	}
}

// A message without an end is cut off for who reads it; one that was not read to its end is not moved.
func TestEndless(t *testing.T) {
	piece := strings.Repeat("x", pieceSize)
	p := sound().with("UID FETCH 42 (UID RFC8", "$ OK\r\n")
	for i := range connectors.MaxIncoming/pieceSize + 2 {
		p[fmt.Sprintf("UID FETCH 42 (UID BODY.PEEK[]<%d.", i*pieceSize)] = fmt.Sprintf("* 1 FETCH (UID 42 BODY[]<%d> {%d}\r\n%s)\r\n$ OK\r\n", i*pieceSize, pieceSize, piece)
	}
	for _, ignore := range []bool{false, true} {
		var said []string
		done := make(chan struct{})
		read := int64(0)
		err := provider(t, p.options(&said, done)).Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
			if in.Size != -1 {
				t.Errorf("the size is %d", in.Size)
			}
			n, err := io.Copy(io.Discard, in.Content)
			if read = n; ignore {
				return nil // against the contract
			}
			return err
		})
		<-done
		if read != connectors.MaxIncoming || !errors.Is(err, connectors.ErrTooLarge) || strings.Contains(strings.Join(said, "\n"), "MOVE") {
			t.Errorf("%d bytes, %v", read, err)
		}
	}
}

// What is deleted is marked, and only that is expunged.
func TestDeletes(t *testing.T) {
	for name, c := range map[string]struct{ done, caps, want string }{
		"deleted": {"", "UIDPLUS", "UID STORE 42 +FLAGS.SILENT (\\Deleted), UID EXPUNGE 42"},
		"copied":  {"Done", "UIDPLUS", "UID COPY 42 \"Done\", UID STORE 42 +FLAGS.SILENT (\\Deleted), UID EXPUNGE 42"},
		"moved":   {"Done", "UIDPLUS MOVE", "UID MOVE 42 \"Done\""},
		"alone":   {"Done", "MOVE", "UID MOVE 42 \"Done\""},
	} {
		p := sound().with("AUTHENTICATE", "$ OK [CAPABILITY IMAP4rev1 "+c.caps+"] in\r\n").with("UID STORE", "* 1 FETCH (FLAGS (\\Deleted))\r\n$ OK\r\n").
			with("UID EXPUNGE", "* 1 EXPUNGE\r\n$ OK\r\n").with("UID COPY", "$ OK\r\n")
		var said []string
		done := make(chan struct{})
		o := p.options(&said, done)
		o.Done = c.done
		err := provider(t, o).Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error { _, err := io.ReadAll(in.Content); return err })
		<-done
		after := strings.Join(said, ", ")
		if _, rest, _ := strings.Cut(after, "BODY.PEEK"); err != nil || !strings.Contains(rest, "], "+c.want+", LOGOUT") && !strings.Contains(rest, "), "+c.want+", LOGOUT") {
			t.Errorf("%s: %v, %s", name, err, after)
		}
	}
}

// TLS is asked for, and what was said before it does not count.
func TestStartTLS(t *testing.T) {
	for name, c := range map[string]struct {
		said, left string
		ok         bool
	}{
		"asked":          {"* OK [CAPABILITY STARTTLS] hi\r\nS OK go\r\n\x16\x03", "\x16\x03", true},
		"bare line ends": {"* ok\nS OK go\n", "", true},
		"capabilities":   {"* OK hi\r\n* CAPABILITY IMAP4rev1\r\nS OK go\r\n", "", true},
		"refused":        {"* OK hi\r\nS NO no\r\n", "", false},
		"not known":      {"* OK hi\r\nS BAD no\r\n", "", false},
		"PREAUTH":        {"* PREAUTH hi\r\nS OK go\r\n", "S OK go\r\n", false},
		"BYE":            {"* BYE\r\n", "", false},
		"OKAY":           {"* OKAY\r\n", "", false},
		"another tag":    {"* OK hi\r\nT OK go\r\n", "", false},
		"early":          {"* OK hi\r\n", "", false},
		"nothing":        {"", "", false},
	} {
		in := strings.NewReader(c.said)
		var out bytes.Buffer
		err := startTLS(struct {
			io.Reader
			io.Writer
		}{in, &out})
		left, _ := io.ReadAll(in)
		if (err == nil) != c.ok || string(left) != c.left || c.ok && out.String() != "S STARTTLS\r\n" {
			t.Errorf("%s: %v, left %q, said %q", name, err, left, out.String())
		}
	}
	for _, endless := range []string{"* OK" + strings.Repeat("x", 1<<20), "* OK hi\r\n" + strings.Repeat("* OK\r\n", 1<<16)} {
		in := strings.NewReader(endless)
		if err := startTLS(struct {
			io.Reader
			io.Writer
		}{in, io.Discard}); err == nil || in.Len() < len(endless)/2 {
			t.Errorf("%v, %d bytes left", err, in.Len())
		}
	}
}
