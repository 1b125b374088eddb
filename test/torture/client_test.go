package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// senders are clients that write letters and send them.
type senders struct {
	book     *ledger
	dice     *dice
	sealed   *sealed
	kinds    []kind
	address  map[string]string // of the listeners, by their roles
	sessions int
	backlog  int // recipients that wait, at most
}

// run sends over several connections at once until ctx ends; a message that was begun is finished.
func (s *senders) run(ctx context.Context) {
	var all sync.WaitGroup
	for range s.sessions {
		all.Go(func() {
			for s.book.wait(ctx, s.backlog) == nil && ctx.Err() == nil {
				if !s.session(ctx) {
					pause(ctx, 5*time.Millisecond) // nobody listens just now
				}
			}
		})
	}
	all.Wait()
}

// session sends a few letters over one connection. It reports whether anybody was there.
func (s *senders) session(ctx context.Context) bool {
	k := s.kind("")
	conn, err := net.Dial("tcp", s.address[k.listener])
	if err != nil {
		return false
	}
	c := &client{Conn: conn, reader: textproto.NewReader(newLines(conn)), s: s}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if c.hello() != nil {
		return true
	}
	for n := 1 + s.dice.below(20); n > 0 && ctx.Err() == nil; n-- {
		if !c.send(s.book.write(k, s.length())) || s.book.wait(ctx, s.backlog) != nil {
			break
		}
		k = s.kind(k.listener)
	}
	return true
}

// kind picks a kind of mail for a listener; "" for any.
func (s *senders) kind(listener string) kind {
	all := s.kinds
	for {
		if k := all[s.dice.below(len(all))]; listener == "" || k.listener == listener {
			return k
		}
	}
}

// length is small most of the time; one in eight is too long for memory.
func (s *senders) length() int {
	if s.dice.below(8) == 0 {
		return 140<<10 + s.dice.below(100<<10)
	}
	return s.dice.below(8 << 10)
}

// client is one SMTP connection.
type client struct {
	net.Conn
	reader *textproto.Reader
	s      *senders
}

// errEnd is a reply that ends the connection or the message.
var errEnd = errors.New("not the reply that was wanted")

// reply reads one; it must be of the class.
func (c *client) reply(class int) error {
	_, _, err := c.reader.ReadResponse(class)
	return err
}

func (c *client) hello() error {
	if err := c.reply(2); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "EHLO client.example\r\n"); err != nil {
		return err
	}
	return c.reply(2)
}

// send sends a letter and notes what it was told. It reports whether the connection may be used again.
func (c *client) send(l *letter) bool {
	content := l.bytes(c.s.sealed)
	chunked := c.s.dice.below(2) == 0
	ready, err := c.envelope(l, chunked)
	if err != nil || !ready {
		return err == nil
	}
	if c.s.dice.percent(2) { // a client that dies amid its message
		c.Write(content[:c.s.dice.below(len(content))])
		return false
	}
	if chunked {
		err = c.chunks(l, content)
	} else {
		err = c.data(l, content)
	}
	return c.note(l, err)
}

// note writes down the reply to the message.
func (c *client) note(l *letter, err error) bool {
	var said *textproto.Error
	switch {
	case err == nil:
		c.s.book.told(l, accepted)
		return true
	case errors.Is(err, errEnd):
		return false
	case errors.As(err, &said) && said.Code/100 == 4:
		c.s.book.postponed(l, said.Code)
	case errors.As(err, &said) && said.Code/100 == 5:
		c.s.book.fault("%s (%s) was refused: %v", l.id, l.name, said)
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		c.s.book.fault("%s: no reply for a long time", l.id)
	}
	return false
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// envelope sends MAIL, RCPT and DATA in one, or one after the other. ready is false where one was put off.
func (c *client) envelope(l *letter, chunked bool) (ready bool, err error) {
	commands := []string{"MAIL FROM:<" + l.from + ">"}
	for _, to := range l.to {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	if !chunked {
		commands = append(commands, "DATA")
	}
	piped := c.s.dice.below(2) == 0
	if piped {
		if _, err := io.WriteString(c, strings.Join(commands, "\r\n")+"\r\n"); err != nil {
			return false, err
		}
	}
	for _, command := range commands {
		if !piped {
			if _, err := io.WriteString(c, command+"\r\n"); err != nil {
				return false, err
			}
		}
		class := 2
		if command == "DATA" {
			class = 3
		}
		if err := c.reply(class); err != nil {
			return false, err
		}
	}
	return true, nil
}

// data sends the message with its dots doubled.
func (c *client) data(l *letter, content []byte) error {
	stuffed := bytes.ReplaceAll(content, []byte("\r\n."), []byte("\r\n.."))
	if _, err := c.Write(stuffed); err != nil {
		return errEnd
	}
	c.s.book.told(l, unanswered)
	if _, err := io.WriteString(c, ".\r\n"); err != nil {
		return err
	}
	return c.reply(2)
}

// chunks sends the message by BDAT.
func (c *client) chunks(l *letter, content []byte) error {
	for {
		n := min(len(content), 1+c.s.dice.below(64<<10))
		last := ""
		if n == len(content) {
			last = " LAST"
			c.s.book.told(l, unanswered)
		}
		if _, err := fmt.Fprintf(c, "BDAT %d%s\r\n%s", n, last, content[:n]); err != nil {
			return errEnd
		}
		if err := c.reply(2); err != nil {
			if last == "" {
				return errEnd
			}
			return err
		}
		if content = content[n:]; last != "" {
			return nil
		}
	}
}
