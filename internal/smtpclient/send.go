package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

const (
	// window is how many commands are sent before their replies are read: as much as fits socket buffers
	// on both sides, so that neither waits for the other for ever (RFC 2920, 3.1).
	window = 50
	// bodyBlock is how much of a body is read at once, and the size of a chunk.
	bodyBlock = 64 << 10
)

// Send sends one message. With a nil error every recipient has a Reply, be it the server's or a refusal by
// this client (an address that cannot be sent, 8BITMIME or SMTPUTF8 missing, a bare CR or LF, the size).
// With an error, an *Error, those whose Reply has no Code are undecided and may be tried again.
func (c *Client) Send(ctx context.Context, m Message) (Result, error) {
	s := sending{c: c, m: &m, result: Result{Recipients: make([]Reply, len(m.Recipients))}}
	if c.closed {
		return s.result, &Error{StageEnvelope, ErrClosed}
	}
	if ctx.Err() != nil {
		c.abort()
		return s.result, &Error{StageEnvelope, context.Cause(ctx)}
	}
	if c.r.Buffered() > 0 {
		c.abort()
		return s.result, &Error{StageEnvelope, fmt.Errorf("%w: the server speaks unasked", ErrProtocol)}
	}
	if refusal := c.check(&m); refusal.Code != 0 {
		s.answer(refusal)
		return s.result, nil
	}
	s.checkRecipients()
	if s.left == 0 || m.Whole && s.left < len(m.Recipients) {
		s.spare()
		return s.result, nil
	}
	if c.dirty {
		if err := c.Reset(ctx); err != nil {
			return s.result, err
		}
	}
	defer c.watch(ctx)()
	if err := s.run(); err != nil {
		c.abort()
		return s.result, c.because(ctx, err)
	}
	return s.result, nil
}

// check refuses what this server cannot be given.
func (c *Client) check(m *Message) Reply {
	local := func(code int, enhanced, text string) Reply {
		return Reply{Code: code, Enhanced: enhanced, Text: text, Local: true}
	}
	_, has8bit := c.ext["8BITMIME"]
	_, hasUTF8 := c.ext["SMTPUTF8"]
	switch limit := c.maxSize(); {
	case !cleanAddress(m.From):
		return local(553, "5.1.7", "the sender's address cannot be sent")
	case m.SMTPUTF8 && !hasUTF8, !m.SMTPUTF8 && !isASCII(m.From): // RFC 6531, 3.2
		return local(553, "5.6.7", "the next mail server does not take internationalized addresses or headers")
	case m.Body8Bit && !has8bit: // RFC 6152, 3
		return local(554, "5.6.3", "the next mail server does not take 8-bit content, and the message must not be converted")
	case limit > 0 && m.Size > limit:
		return local(552, "5.3.4", fmt.Sprintf("the message has %d bytes, the next mail server takes %d", m.Size, limit))
	}
	return Reply{}
}

// sending is the work on one message.
type sending struct {
	c        *Client
	m        *Message
	result   Result
	left     int // recipients that go into the envelope
	accepted int
	mail     Reply
	start    Reply // to DATA
}

// checkRecipients refuses addresses that must not be sent.
func (s *sending) checkRecipients() {
	for i := range s.m.Recipients {
		switch a := s.m.Recipients[i].Address; {
		case a == "" || !cleanAddress(a):
			s.result.Recipients[i] = Reply{Code: 553, Enhanced: "5.1.3", Text: "the recipient's address cannot be sent", Local: true}
		case !s.m.SMTPUTF8 && !isASCII(a):
			s.result.Recipients[i] = Reply{Code: 553, Enhanced: "5.6.7", Text: "the recipient's address needs SMTPUTF8", Local: true}
		default:
			s.left++
		}
	}
}

// answer gives r to all recipients that have no reply, or that were accepted.
func (s *sending) answer(r Reply) {
	for i := range s.result.Recipients {
		if p := &s.result.Recipients[i]; p.Code == 0 || p.Positive() {
			*p = r
		}
	}
}

// forget takes acceptances back: the fate of those recipients is open.
func (s *sending) forget() {
	for i := range s.result.Recipients {
		if p := &s.result.Recipients[i]; p.Positive() {
			*p = Reply{}
		}
	}
}

func (s *sending) run() error {
	s.c.dirty = true
	err := s.envelope()
	s.result.Mail = s.mail
	if err != nil {
		s.forget()
		return &Error{StageEnvelope, err}
	}
	switch {
	case !s.mail.Positive():
		s.reject(s.mail)
		return s.empty()
	case s.accepted == 0:
		return s.empty()
	case s.m.Whole && s.accepted < len(s.m.Recipients):
		s.spare()
		return nil
	case s.start.Code != 0 && s.start.Code != 354 || s.c.closed:
		return s.noData()
	}
	stage, reply, err := s.body()
	if err != nil && errors.Is(err, errBare) {
		s.c.abort() // without the final dot, so that the peer takes nothing
		s.answer(Reply{Code: 554, Enhanced: "5.6.0", Text: errBare.Error(), Local: true})
		return nil
	}
	if err == nil && reply.Code/100 == 3 {
		err = fmt.Errorf("%w: %s", ErrProtocol, reply)
	}
	if err != nil {
		s.forget()
		return &Error{stage, err}
	}
	s.c.dirty = false
	s.result.Data = reply
	s.answer(reply)
	return nil
}

// spare says to whom nothing was sent that it is because of others.
func (s *sending) spare() {
	for i := range s.result.Recipients {
		if p := &s.result.Recipients[i]; p.Code == 0 || p.Positive() {
			*p = Reply{Code: 451, Enhanced: "4.5.0", Text: "nothing was sent, since another recipient was refused", Local: true}
		}
	}
}

// reject gives the refusal of MAIL to all recipients, whatever was said to them afterwards.
func (s *sending) reject(r Reply) {
	for i := range s.result.Recipients {
		if p := &s.result.Recipients[i]; !p.Local {
			*p = r
		}
	}
}

// noData ends a message whose DATA was refused, or a connection that closed before it.
func (s *sending) noData() error {
	if s.start.Code/100 == 2 || s.start.Code/100 == 3 {
		s.forget()
		return &Error{StageEnvelope, fmt.Errorf("%w to DATA: %s", ErrProtocol, s.start)}
	}
	s.answer(s.start)
	return nil
}

// empty ends a transaction without recipients. A server that answered the pipelined DATA with 354 all the
// same gets an empty message, which it can give to nobody (RFC 2920, 3.1).
func (s *sending) empty() error {
	if s.start.Code != 354 || s.c.closed {
		return nil
	}
	s.c.w.WriteString(".\r\n")
	if _, err := s.c.reply(s.c.o.Timeouts.DataEnd, nil); err != nil {
		s.c.abort()
		return nil
	}
	s.c.dirty = false
	return nil
}

// envelope sends MAIL, RCPT and, where no BDAT follows, DATA: pipelined where offered (RFC 2920), DATA too unless it depends on the replies.
func (s *sending) envelope() error {
	steps, ahead := len(s.m.Recipients)+1, 1
	if !s.chunked() {
		steps++
	}
	if _, ok := s.c.ext["PIPELINING"]; ok {
		ahead = window
	}
	for read := 0; read < steps; {
		next := min(read+ahead, steps)
		if data := len(s.m.Recipients) + 1; s.m.Whole && read < data {
			next = min(next, data)
		} else if s.m.Whole && s.accepted < len(s.m.Recipients) {
			return nil
		}
		for step := read; step < next; step++ {
			s.write(step, ahead > 1)
		}
		for ; read < next; read++ {
			if err := s.read(read); err != nil || s.c.closed {
				return err
			}
		}
		if !s.mail.Positive() {
			return nil
		}
	}
	return nil
}

func (s *sending) chunked() bool {
	_, ok := s.c.ext["CHUNKING"]
	return ok && s.c.o.Chunking
}

// skipped reports whether a step is left out: a recipient refused here, or DATA for nobody.
func (s *sending) skipped(step int, pipelined bool) bool {
	if step > len(s.m.Recipients) {
		return !pipelined && s.accepted == 0
	}
	return step > 0 && s.result.Recipients[step-1].Local
}

// write writes the command of a step: 0 is MAIL, then the recipients, then DATA.
func (s *sending) write(step int, pipelined bool) {
	b := s.c.buf[:0]
	switch {
	case s.skipped(step, pipelined):
		return
	case step == 0:
		b = s.c.appendMail(b, s.m)
	case step <= len(s.m.Recipients):
		b = s.c.appendRcpt(b, &s.m.Recipients[step-1])
	default:
		b = append(b, "DATA\r\n"...)
		s.start.Code = -1 // asked for
	}
	s.c.w.Write(b) // a failed write fails the flush
	if cap(b) > cap(s.c.buf) {
		s.c.buf = b
	}
}

// read reads the reply of a step. A 421 ends the conversation and answers whoever has no answer.
func (s *sending) read(step int) error {
	isData := step > len(s.m.Recipients)
	if isData && s.start.Code == 0 || !isData && s.skipped(step, true) {
		return nil
	}
	timeout := s.c.o.Timeouts.Command
	if isData {
		timeout = s.c.o.Timeouts.DataStart
	}
	r, err := s.c.reply(timeout, nil)
	if err == nil && r.Code/100 == 3 && !isData {
		err = fmt.Errorf("%w to a command: %s", ErrProtocol, r)
	}
	if err != nil {
		return err
	}
	switch {
	case step == 0:
		s.mail = r
	case isData:
		s.start = r
	default:
		s.result.Recipients[step-1] = r
		if r.Positive() {
			s.accepted++
		}
	}
	if r.Code == 421 {
		s.answer(r)
		s.start = r
	}
	return nil
}

// body sends the message and reads the reply to it.
func (s *sending) body() (Stage, Reply, error) {
	if s.chunked() {
		return s.chunks()
	}
	lines := lineWriter{w: s.c.w, stuff: true}
	_, err := io.CopyBuffer(&lines, s.m.Body, s.c.block())
	if err != nil && lines.err == nil {
		return StageBody, Reply{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	if lines.end() != nil {
		return s.failed(lines.err)
	}
	if err := s.c.w.Flush(); err != nil {
		return s.failed(err)
	}
	r, err := s.c.reply(s.c.o.Timeouts.DataEnd, nil)
	return StageEnd, r, err
}

// failed looks whether a server that stopped listening said why.
func (s *sending) failed(err error) (Stage, Reply, error) {
	if errors.Is(err, errBare) {
		return StageBody, Reply{}, err
	}
	s.c.conn.SetReadDeadline(time.Now().Add(s.c.o.Timeouts.Quit))
	r, readErr := readReply(s.c.r, nil)
	s.c.abort()
	if readErr == nil && (r.Temporary() || r.Permanent()) {
		return StageBody, r, nil
	}
	return StageBody, Reply{}, err
}

// chunks sends the message by BDAT (RFC 3030, 2), one chunk after the other. After a refused chunk the
// connection is given up: it is not certain where the server reads on.
func (s *sending) chunks() (Stage, Reply, error) {
	lines := lineWriter{w: io.Discard}
	block := s.c.block()
	for {
		n, err := io.ReadFull(s.m.Body, block)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return StageBody, Reply{}, fmt.Errorf("%w: %w", ErrBody, err)
		}
		if lines.Write(block[:n]); lines.err != nil || last && lines.cr {
			return StageBody, Reply{}, errBare
		}
		command := strconv.AppendInt([]byte("BDAT "), int64(n), 10)
		stage := StageBody
		if last {
			command, stage = append(command, " LAST"...), StageEnd
		}
		s.c.w.Write(append(command, "\r\n"...))
		s.c.w.Write(block[:n])
		r, err := s.c.reply(s.c.o.Timeouts.DataEnd, nil)
		if err != nil || last || !r.Positive() {
			if !r.Positive() {
				s.c.abort()
			}
			return stage, r, err
		}
	}
}

// block is the buffer for bodies.
func (c *Client) block() []byte {
	if cap(c.buf) < bodyBlock {
		c.buf = make([]byte, bodyBlock)
	}
	return c.buf[:bodyBlock]
}
