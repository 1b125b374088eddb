package inbox

import "io"

// shape is what the bytes of a message are like: what can be done with it by SMTP, and within another message.
type shape struct {
	bare, null, high bool
	line, longest    int
	cr               bool
}

// mostLine is how long a line may be (RFC 5322, 2.1.1), without its end.
const mostLine = 998

// note looks at more bytes.
func (s *shape) note(p []byte) {
	for _, c := range p {
		switch {
		case c == '\n' && s.cr:
			s.line, s.cr = 0, false
			continue
		case c == '\n' || s.cr:
			s.bare = true
		}
		s.cr = c == '\r'
		s.null = s.null || c == 0
		s.high = s.high || c > 127
		if !s.cr {
			s.line++
		}
		s.longest = max(s.longest, s.line)
	}
}

// unfit says why the message cannot be delivered as it is; empty where it can. What does not end its lines by CRLF is how mail is smuggled, and mending it
// would break what was signed.
func (s *shape) unfit() string {
	switch {
	case s.bare || s.cr:
		return "a line of it does not end with CR LF, so that no mail server takes it as it is"
	case s.null:
		return "there is a NUL in it, so that no mail server takes it as it is"
	}
	return ""
}

// encoding is the Content-Transfer-Encoding by which it can stand in a message/rfc822 as it is (RFC 2046, 5.2.1); empty where there is none.
func (s *shape) encoding() string {
	switch {
	case s.unfit() != "" || s.longest > mostLine:
		return ""
	case s.high:
		return "8bit"
	}
	return "7bit"
}

// shaped looks at what is read through it.
type shaped struct {
	r     io.Reader
	shape *shape
}

// Read passes bytes on.
func (s *shaped) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.shape.note(p[:n])
	return n, err
}
