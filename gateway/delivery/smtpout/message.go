package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// message is a, without the body, for the recipients without a result, whose indexes are open. It claims
// only what it needs where the server lacks an extension: many senders declare 8BITMIME and SMTPUTF8
// for messages that need neither.
func message(c *smtpclient.Client, a delivery.Attempt, results []delivery.Result) (m smtpclient.Message, open []int, err error) {
	env := &a.Envelope
	m = smtpclient.Message{
		From: env.From.String(), Size: a.Content.Size(), Body8Bit: env.Body8Bit, SMTPUTF8: env.SMTPUTF8,
		Ret: env.Ret, EnvID: env.EnvID, Recipients: make([]smtpclient.Recipient, 0, len(results)),
	}
	if a.Secret {
		m.Size = 0 // a server that refuses it for its size does so when it has it
	}
	open = make([]int, 0, len(results))
	for i, r := range env.Recipients {
		if results[i].Status == "" {
			open = append(open, i)
			m.Recipients = append(m.Recipients, smtpclient.Recipient{Address: r.Address.String(), Notify: r.Notify, ORcpt: r.ORcpt})
		}
	}
	if _, ok := c.Has("8BITMIME"); !ok {
		if m.Body8Bit, err = scan(a.Content, has8bit); err != nil {
			return m, open, err
		}
	}
	if _, ok := c.Has("SMTPUTF8"); !ok && m.SMTPUTF8 && allASCII(env) {
		m.SMTPUTF8, err = scan(a.Content, header8bit)
	}
	return m, open, err
}

func allASCII(env *mail.Envelope) bool {
	for _, r := range env.Recipients {
		if !r.Address.IsASCII() {
			return false
		}
	}
	return env.From.IsASCII()
}

func scan(content mail.Content, look func(*bufio.Reader) (bool, error)) (bool, error) {
	r, err := content.Open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	found, err := look(bufio.NewReaderSize(r, 32<<10))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return found, err
}

// has8bit reports whether a message has bytes over 127.
func has8bit(r *bufio.Reader) (bool, error) {
	for {
		if _, err := r.Peek(1); err != nil {
			return false, err
		}
		block, _ := r.Peek(r.Buffered())
		if over127(block) {
			return true, nil
		}
		r.Discard(len(block))
	}
}

// header8bit reports whether its header has.
func header8bit(r *bufio.Reader) (bool, error) {
	for {
		line, err := r.ReadSlice('\n')
		if over127(line) {
			return true, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return false, err
		}
	}
}

func over127(b []byte) bool {
	for _, c := range b {
		if c > 127 {
			return true
		}
	}
	return false
}
