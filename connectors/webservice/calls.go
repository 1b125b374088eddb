package webservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxValue bounds a value that an answer gives, in bytes; certificates are longer than all others.
const maxValue = 32 << 10

// Submission is a message to hand over.
type Submission struct {
	// Key is ours, and stable: Find asks for it.
	Key         string
	Sender      string
	To, Cc, Bcc []string
	// The options of TR-01201 3.4, 3.1, Table 1, number 1 to 5.
	Dispatch, Receipt, Retrieve, Authoritative, Private bool
	Content                                             Content
}

// Taken is a message that the provider has taken.
type Taken struct {
	ID   string
	Time time.Time // zero where the provider does not say
}

// Waiting is a message that the provider holds for us.
type Waiting struct {
	ID      string
	Size    int64     // -1 where the provider does not say
	Mailbox string    // whose it is; empty where the provider does not say
	Time    time.Time // since when; zero where the provider does not say
}

// Address is what the provider's directory says of one.
type Address struct {
	Address     string
	Level       string // normal or high; empty where the provider does not say, or says what the profile does not know
	Certificate []byte // DER; nil where there is none
}

// Domains are the De-Mail domains of the account. That it answers proves that the connection works.
func (c *Client) Domains(ctx context.Context) ([]string, error) {
	var out []string
	err := c.many(ctx, OpDomains, nil, func(k *call, a *answer, at *node) error {
		domain, err := k.field(at, "domain")
		out = append(out, domain)
		return err
	})
	return out, err
}

// Submit hands over a message. An error of class InDoubt means that the provider may have the message: it must not be
// submitted again before Find says that it has not. Any other error means that it has not taken it.
func (c *Client) Submit(ctx context.Context, s Submission) (Taken, error) {
	p := c.options.Profile
	content := s.Content
	if p.keyField {
		content = &keyed{Content: s.Content, head: "X-de-mail-private-id: " + s.Key + "\r\n"} // TR-01201 3.4, 3.1, Table 1, number 9
	}
	if limit := p.Limits.Message; content.Size() > limit {
		return Taken{}, &Error{Class: TooLarge, Operation: OpSubmit, Reason: fmt.Sprintf("the message is larger than the %d bytes of the profile's limits.message", limit)}
	}
	if p.keyField && strings.ContainsFunc(s.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Taken{}, &Error{Class: Rejected, Operation: OpSubmit, Reason: "the key cannot stand in a header"}
	}
	var taken Taken
	err := c.do(ctx, OpSubmit, Values{
		"key": s.Key, "sender": s.Sender, "to": s.To, "cc": s.Cc, "bcc": s.Bcc, "recipients": slices.Concat(s.To, s.Cc, s.Bcc),
		"size": strconv.FormatInt(content.Size(), 10), "dispatch": s.Dispatch, "receipt": s.Receipt, "retrieve": s.Retrieve,
		"authoritative": s.Authoritative, "private": s.Private,
	}, content, func(k *call, a *answer) (err error) {
		if err = a.resolve(nil); err == nil {
			taken, err = k.taken(a.body)
		}
		return err
	})
	return taken, err
}

// keyed is a message with a field on top.
type keyed struct {
	Content
	head string
}

// Size counts the field too.
func (k *keyed) Size() int64 { return int64(len(k.head)) + k.Content.Size() }

// Open gives the field, and then the message.
func (k *keyed) Open() (io.ReadCloser, error) {
	in, err := k.Content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(k.head), in), in}, nil
}

// taken reads what the provider says of a message that it has.
func (k *call) taken(at *node) (Taken, error) {
	id, err := k.field(at, "id")
	if err != nil {
		return Taken{}, err
	}
	t, err := k.time(at)
	return Taken{id, t}, err
}

// time is the field of that name; zero where it is none of RFC 3339.
func (k *call) time(at *node) (time.Time, error) {
	text, err := k.optional(at, "time")
	t, failed := time.Parse(time.RFC3339Nano, text)
	if failed != nil {
		t = time.Time{}
	}
	return t, err
}

// Find returns the messages that were taken with a key; none where there are none.
func (c *Client) Find(ctx context.Context, key string) ([]Taken, error) {
	var out []Taken
	err := c.many(ctx, OpFind, Values{"key": key}, func(k *call, a *answer, at *node) error {
		t, err := k.taken(at)
		if err != nil {
			return err
		}
		its, err := k.optional(at, "key")
		if k.op.fields["key"] == nil || its == key { // a search may find what only begins so
			out = append(out, t)
		}
		return err
	})
	if ClassOf(err) == NotFound {
		return nil, nil
	}
	return out, err
}

// List tells which messages wait, on all pages: the oldest first where the provider says since when, else in its order.
func (c *Client) List(ctx context.Context) ([]Waiting, error) {
	var out []Waiting
	timed := true
	err := c.many(ctx, OpList, nil, func(k *call, a *answer, at *node) error {
		w, err := k.waiting(at)
		timed = timed && !w.Time.IsZero()
		// What came or went while the pages were asked for moves others to the next one.
		if err == nil && !slices.ContainsFunc(out, func(o Waiting) bool { return o.ID == w.ID }) {
			out = append(out, w)
		}
		return err
	})
	if timed {
		slices.SortStableFunc(out, func(a, b Waiting) int { return a.Time.Compare(b.Time) })
	}
	return out, err
}

func (k *call) waiting(at *node) (w Waiting, err error) {
	if w.ID, err = k.field(at, "id"); err != nil {
		return w, err
	}
	size, err := k.optional(at, "size")
	if err != nil {
		return w, err
	}
	if w.Size, err = strconv.ParseInt(size, 10, 64); err != nil || w.Size < 0 {
		w.Size = -1
	}
	if w.Mailbox, err = k.optional(at, "mailbox"); err != nil {
		return w, err
	}
	w.Time, err = k.time(at)
	return w, err
}

// handlerError is an error of who was given a message; it is passed on as it is.
type handlerError struct{ err error }

// Error is the handler's text.
func (e *handlerError) Error() string { return e.err.Error() }

// Unwrap is the handler's error.
func (e *handlerError) Unwrap() error { return e.err }

// Fetch gives one message to handle, which must not keep the reader. The reader's io.EOF means that the whole answer came and was sound; any other error that the whole
// message must be thrown away. What handle returns, Fetch returns.
func (c *Client) Fetch(ctx context.Context, id string, handle func(io.Reader) error) error {
	return c.do(ctx, OpFetch, Values{"id": id}, nil, func(k *call, a *answer) error {
		at, err := k.element(a.body, "content")
		if err != nil {
			return err
		}
		if ref, err := include(at); err != nil {
			return err
		} else if ref == "" {
			if err := a.resolve(at); err != nil {
				return err
			}
		}
		in, err := a.open(at)
		if err != nil {
			return err
		}
		defer in.Close()
		r := &fetchReader{k: k, in: in, left: c.options.Profile.Limits.Incoming}
		if err := handle(r); err != nil {
			if r.err != nil && !errors.Is(r.err, io.EOF) {
				return r.err
			}
			return &handlerError{err}
		}
		if !errors.Is(r.err, io.EOF) {
			return answerError("the message was not read to its end")
		}
		return nil
	})
}

// fetchReader bounds the message, and remembers how it ended.
type fetchReader struct {
	k    *call
	in   io.Reader
	left int64
	err  error
}

// Read gives what is within the bound.
func (f *fetchReader) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if int64(len(p)) > f.left+1 {
		p = p[:f.left+1]
	}
	n, err := f.in.Read(p)
	if int64(n) > f.left {
		n, err = int(f.left), f.k.fail(TooLarge, nil, "the message is larger than the profile's limits.incoming")
	}
	f.left -= int64(n)
	f.err = err
	return n, err
}

// Acknowledge tells the provider that a message was stored. It may be called again.
func (c *Client) Acknowledge(ctx context.Context, id string) error {
	err := c.do(ctx, OpAcknowledge, Values{"id": id}, nil, func(_ *call, a *answer) error {
		if a == nil {
			return nil
		}
		return a.resolve(nil)
	})
	if ClassOf(err) == NotFound {
		return nil // it was acknowledged before
	}
	return err
}

// Lookup asks the directory for an address; none where there is no such.
func (c *Client) Lookup(ctx context.Context, address string) ([]Address, error) {
	var out []Address
	err := c.many(ctx, OpLookup, Values{"address": address}, func(k *call, a *answer, at *node) error {
		found, err := k.address(at)
		out = append(out, found)
		return err
	})
	if class := ClassOf(err); class == NoSuchAddress || class == NotFound {
		return nil, nil
	}
	return out, err
}

// address reads an entry of the directory.
func (k *call) address(at *node) (Address, error) {
	var out Address
	var err error
	if out.Address, err = k.field(at, "address"); err != nil {
		return out, err
	}
	level, err := k.optional(at, "level")
	if err != nil {
		return out, err
	}
	out.Level = k.client.options.Profile.levels[level]
	certificate, err := k.optional(at, "certificate")
	if err != nil || certificate == "" {
		return out, err
	}
	out.Certificate, err = decodeBase64(certificate)
	return out, err
}

// many calls an operation for all pages, and gives each of the answer's elements to use.
func (c *Client) many(ctx context.Context, name Operation, v Values, use func(*call, *answer, *node) error) error {
	p := c.options.Profile
	op := p.operations[name]
	if op == nil {
		return fmt.Errorf("%w: %s", ErrMissing, name)
	}
	all, cursor, next := 0, "", ""
	for page := 0; ; page++ {
		if page == p.Limits.Pages || all > maxNodes {
			return &Error{Class: Unavailable, Operation: name, Reason: "the answer has more pages than the profile's limits.pages, or too many entries"}
		}
		got, more := 0, false
		err := c.do(ctx, name, op.page(v, p.Limits.Page, page, all, cursor), nil, func(k *call, a *answer) error {
			if err := a.resolve(nil); err != nil {
				return err
			}
			nodes, err := op.each.nodes(a.body)
			if err != nil {
				return err
			}
			got = len(nodes)
			for _, n := range nodes {
				if err := use(k, a, n); err != nil {
					return err
				}
			}
			more, next, err = op.further(a.body)
			return err
		})
		if err != nil || !more {
			return err
		}
		if got == 0 || next != "" && next == cursor {
			return &Error{Class: Unavailable, Operation: name, Reason: "the provider gives pages without end; compare paging in the profile with its description"}
		}
		all, cursor = all+got, next
	}
}

// page are the values of a request for one page.
func (op *operation) page(v Values, size, number, offset int, cursor string) Values {
	out := Values{"page_size": strconv.Itoa(size), "page_cursor": cursor}
	if op.paging == "none" {
		out = Values{"page_size": strconv.Itoa(size)}
	}
	out["page_number"] = strconv.FormatInt(op.first+int64(number), 10)
	out["page_offset"] = strconv.FormatInt(op.first+int64(offset), 10)
	for name, value := range v {
		out[name] = value
	}
	return out
}
