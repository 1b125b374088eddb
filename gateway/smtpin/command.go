package smtpin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Faults of a command line after which nothing on the connection can be trusted.
var (
	errLongLine = errors.New("smtpin: a command is too long")
	errLineEnd  = errors.New("smtpin: a command does not end as it must")
)

// errStopping is for clients that would go on while the server ends.
var errStopping = status.Say(nil, 421, "4.3.2", texts.DoorBusy, texts.Values{})

// endOfData is what go-smtp gets to see of every message.
const endOfData = ".\r\n"

// read gives go-smtp the next command line, or the end of a message that was read.
func (d *door) read(p []byte) (int, error) {
	if len(d.ready) == 0 {
		if err := d.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

func (d *door) next() error {
	if d.inData {
		d.inData = false
		d.closeFrame()
		if d.ended == nil {
			d.ready = []byte(endOfData)
		}
		return d.ended
	}
	if c := d.chunk; c != nil { // go-smtp did not want it
		d.frame, d.chunk = c, nil
		d.closeFrame()
	}
	for d.ended == nil {
		line, err := d.command()
		if err != nil {
			return err
		}
		if d.admitCommand(line) {
			return nil
		}
	}
	return d.ended
}

// command reads a command line. After any error the connection ends; the far end has been told why.
func (d *door) command() (string, error) {
	if line := d.again; line != "" {
		d.again = ""
		return line, nil
	}
	if d.ended != nil {
		return "", d.ended
	}
	switch limits := d.site.limits; {
	case d.server.stopping.Load():
		return "", d.farewell(errStopping)
	case d.errors > limits.Errors || d.logins >= maxLogins:
		return "", d.farewell(status.Refuse(421, "4.7.0", "too many errors"))
	case d.idle > limits.Commands:
		return "", d.farewell(status.Refuse(421, "4.7.0", "too many commands and no message"))
	}
	d.waits()
	line, err := d.readLine()
	d.pace.silent.Store(0)
	if err != nil {
		return "", d.farewell(lineFault(err))
	}
	if verb, _, _ := strings.Cut(line, " "); !strings.EqualFold(verb, "RCPT") && !strings.EqualFold(verb, "BDAT") {
		d.idle++
	}
	return line, nil
}

// lineFault is what a client is told; nil where it is gone.
func lineFault(err error) error {
	var refusal *status.Error
	switch {
	case errors.As(err, &refusal):
		return err
	case errors.Is(err, errLongLine):
		return status.Refuse(500, "5.5.2", "the command is too long")
	case errors.Is(err, errLineEnd):
		return status.Refuse(500, "5.5.2", "commands end in CRLF and hold no other CR, LF or NUL")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return status.Refuse(421, "4.4.2", "idle for too long")
	}
	return nil
}

// farewell says a last reply and ends the conversation.
func (d *door) farewell(refusal error) error {
	if refusal != nil && d.ended == nil {
		d.say(d.told(refusal))
		d.linger = true
	}
	d.ended = io.EOF
	return d.ended
}

// readLine reads up to CRLF (RFC 5321, 2.3.8) and leaves the CRLF out.
func (d *door) readLine() (string, error) {
	if err := d.await(); err != nil {
		return "", err
	}
	var line []byte
	for {
		part, err := d.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > d.site.limits.Line {
			return "", errLongLine
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		return "", errLineEnd
	}
	return string(line), nil
}

// admitCommand looks at a command before go-smtp does: it answers some itself, changes some, and reports
// whether go-smtp is to see it.
func (d *door) admitCommand(line string) bool {
	if d.lastCode == 334 { // an answer within AUTH (RFC 4954, 4) is no command
		d.pass(line)
		return true
	}
	verb, arg, _ := strings.Cut(line, " ")
	if !isVerb(verb) || !isText(arg) {
		d.refuse(500, "5.5.2", "this is not a command")
		return false
	}
	switch arg = strings.TrimSpace(arg); strings.ToUpper(verb) {
	case "STARTTLS":
		d.startTLS(arg)
		return false
	case "BDAT":
		return d.startChunks(arg)
	case "EHLO", "HELO":
		if len(arg) > 255 {
			d.refuse(501, "5.5.4", "this is not a host name")
			return false
		}
		d.extended = strings.EqualFold(verb, "EHLO")
	case "MAIL":
		if d.messages >= d.site.limits.Messages || d.bytes >= d.site.limits.Bytes {
			d.farewell(status.Refuse(421, "4.7.0", "enough messages on one connection, please open another"))
			return false
		}
	case "RCPT":
		line = d.postmaster(line)
	}
	d.pass(line)
	return true
}

// pass gives a line to go-smtp.
func (d *door) pass(line string) {
	d.line = line
	d.ready = []byte(line + "\r\n")
}

// isVerb tells a command word: four letters of ASCII, or STARTTLS. go-smtp brings verbs to upper case by
// Unicode's rules, by which other letters become ASCII ones, and takes STARTTLSX for STARTTLS.
func isVerb(s string) bool {
	for _, c := range []byte(s) {
		if c |= 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(s) == 4 || strings.EqualFold(s, "STARTTLS")
}

func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// postmaster gives <postmaster> the domain it lacks (RFC 5321, 4.5.1), since go-smtp refuses it.
func (d *door) postmaster(line string) string {
	const bare = "<postmaster>"
	at := strings.IndexByte(line, '<')
	if at < 0 || len(line) < at+len(bare) || !strings.EqualFold(line[at:at+len(bare)], bare) {
		return line
	}
	return line[:at] + "<" + d.site.postmaster.String() + ">" + line[at+len(bare):]
}

// startTLS answers STARTTLS (RFC 3207, 4). When it succeeds, the conversation ends and another begins.
func (d *door) startTLS(arg string) {
	switch {
	case arg != "":
		d.refuse(501, "5.5.4", "STARTTLS has no argument")
	case d.secured():
		d.refuse(503, "5.5.1", "the connection is under TLS already")
	case d.site.TLSConfig == nil:
		d.refuse(502, "5.5.1", "TLS is not offered here")
	case d.in.Buffered() > 0: // sent before the handshake, to be taken for sent after it
		d.farewell(status.Refuse(554, "5.5.0", "nothing may follow STARTTLS before the handshake"))
	default:
		d.say(status.Reply{Code: 220, Enhanced: [3]int{2, 0, 0}, Text: "ready for TLS"})
		if d.flush() == nil && d.secure() == nil {
			d.upgraded = true
		}
		d.ended = io.EOF
	}
}

// startChunks reads the arguments of the first BDAT of a message. To go-smtp it becomes DATA: whether the
// message comes by BDAT or DATA is a matter of frames, and go-smtp's own BDAT takes a chunk that was cut
// short for whole.
func (d *door) startChunks(arg string) bool {
	now := time.Now()
	c := &chunks{tally: tally{door: d, start: now, until: now.Add(d.site.limits.Message)}}
	if d.site.Normalise {
		c.mend = newMender()
	}
	if !c.announce(arg) {
		return false
	}
	d.chunk = c
	d.pass("DATA")
	return true
}

// announce reads "n" or "n LAST" (RFC 3030, 2). Where that fails, nobody knows where the next command begins.
func (c *chunks) announce(arg string) bool {
	number, last, more := strings.Cut(arg, " ")
	n, err := strconv.ParseUint(number, 10, 62)
	if err != nil || more && !strings.EqualFold(last, "LAST") {
		c.farewell(status.Refuse(501, "5.5.4", "BDAT takes a number of octets, and LAST with the last of them"))
		return false
	}
	c.left, c.last = int64(n), more
	return true
}

// told is the reply for an error, in the words of those whom the listener is for.
func (d *door) told(err error) status.Reply {
	return status.In(d.site.words(d.site.Role != External), err)
}

// retold is a reply line in our words, where go-smtp refuses something before it asks the session.
func (d *door) retold(line []byte) []byte {
	switch {
	case bytes.HasPrefix(line, []byte("552 5.3.4 Max ")): // the SIZE of MAIL (RFC 1870, 6.1)
		return d.lineFor(552)
	case bytes.HasPrefix(line, []byte("452 4.5.3 Maximum ")): // RFC 5321, 4.5.3.1.10
		return d.lineFor(452)
	}
	return line
}

// lineFor is such a line. It stands apart since every reply passes retold, and a client that waits should cost no stack for it.
func (d *door) lineFor(code int) []byte {
	err := errTooLarge(d.site.MaxSize)
	if code == 452 {
		err = errTooManyRecipients(d.site.MaxRecipients)
	}
	return []byte(d.told(err).String())
}

// refuse answers a command in go-smtp's place.
func (d *door) refuse(code int, enhanced, text string) {
	d.say(status.For(status.Refuse(code, enhanced, text)))
}

func (d *door) say(r status.Reply) { d.reply(fmt.Appendf(nil, "%s\r\n", r)) }

// reply takes replies, counts refusals, and keeps the lines until the door waits for the far end.
func (d *door) reply(p []byte) {
	const enough = 64 << 10
	d.partial = append(d.partial, p...)
	for {
		line, rest, ok := bytes.Cut(d.partial, []byte("\r\n"))
		if !ok {
			return
		}
		d.replyLine(line)
		d.partial = append(d.partial[:0], rest...)
		if len(d.out) > enough {
			d.flush()
		}
	}
}

func (d *door) replyLine(line []byte) {
	code, last := replyCode(line)
	if last {
		d.lastCode = code
	}
	switch {
	case d.mute > 0:
		if last {
			d.mute--
		}
		return
	case code == 354 && d.chunk != nil: // BDAT has no such reply
		return
	case last && code >= 500:
		d.errors++
		if d.site.Tenant.IsZero() { // else the address is that of all tenants, who would shut ours out
			d.server.note(d.site, d.client, failing, 1)
		}
	}
	for _, c := range d.retold(line) {
		if c < ' ' || c > '~' {
			c = '?'
		}
		d.out = append(d.out, c)
	}
	d.out = append(d.out, '\r', '\n')
}

// replyCode reads "250 " or "250-"; last is false for the latter.
func replyCode(line []byte) (code int, last bool) {
	if len(line) < 3 {
		return 0, true
	}
	code, _ = strconv.Atoi(string(line[:3]))
	return code, len(line) == 3 || line[3] != '-'
}
