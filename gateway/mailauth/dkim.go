package mailauth

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// checkDKIM checks the signatures of a message: all keys are looked up at once, then those signatures that have
// a good one are checked one after the other, each with a pass over the body.
func (c *Checker) checkDKIM(ctx context.Context, header entity.Header, content mail.Content) (results []DKIM, unseen int, err error) {
	var signatures []*signature
	for _, f := range header.Fields() {
		if !f.Is(signatureName) {
			continue
		}
		if len(signatures) == c.o.MaxSignatures {
			unseen++
			continue
		}
		signatures = append(signatures, readSignature(f))
	}
	keys := make([]fetched, len(signatures))
	var all sync.WaitGroup
	for i, s := range signatures {
		if !s.done {
			all.Go(func() { keys[i] = c.fetchKey(ctx, s.key) })
		}
	}
	all.Wait()
	for i, s := range signatures {
		if !s.done {
			c.useKey(s, keys[i])
		}
		if !s.done {
			if err := c.verify(ctx, s, keys[i].text, header, content); err != nil {
				return nil, 0, err
			}
		}
		results = append(results, s.result)
	}
	return results, unseen, nil
}

// verify checks one signature. Its error is that of reading the content.
func (c *Checker) verify(ctx context.Context, s *signature, key string, header entity.Header, content mail.Content) error {
	body, closeBody, err := openBody(content, c.o.Header)
	if err != nil {
		return err
	}
	defer closeBody()
	tame := &tameReader{ctx: ctx, r: body}
	// The library works in the chunks of this buffer.
	message := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(onTop(header, s.field)), tame), 64<<10)
	verdict, err := verifyFirst(message, key)
	switch {
	case tame.err != nil && ctx.Err() != nil:
		s.settle(TempError, "there was no time to check the signature")
	case tame.err != nil:
		return tame.err
	case tame.wild:
		s.settle(Unacceptable, "the body has too many blank lines in a row")
	case err != nil:
		s.settle(PermError, "the signature cannot be checked")
	case verdict == nil:
		s.settle(Pass, "")
	case dkim.IsTempFail(verdict), dkim.IsPermFail(verdict):
		s.settle(PermError, libraryReason(verdict)) // a key was there, so nothing is temporary
	default:
		s.settle(Fail, libraryReason(verdict))
	}
	return nil
}

var errVerifier = errors.New("mailauth: the verifier gave up")

// verifyFirst has the library check the first signature of a message, with a key record that was looked up
// before. verdict is what it says of the signature; err means that it could not say anything.
func verifyFirst(message io.Reader, key string) (verdict, err error) {
	defer func() { // see checkSPF
		if recover() != nil {
			verdict, err = nil, errVerifier
		}
	}()
	found, err := dkim.VerifyWithOptions(message, &dkim.VerifyOptions{
		MaxVerifications: 1,
		LookupTXT:        func(string) ([]string, error) { return []string{key}, nil },
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return nil, err
	}
	if len(found) != 1 {
		return nil, errVerifier
	}
	return found[0].Err, nil
}

// onTop is the header and its blank line, with one of the fields moved to the top. That is where a signature
// stands when it is made, and a signature over other signatures means those below it (RFC 6376, 5.4.2).
func onTop(header entity.Header, first entity.Field) []byte {
	out := make([]byte, 0, entity.DefaultHeaderLimit/16)
	out = append(out, first.Raw...)
	for _, f := range header.Fields() {
		if &f.Raw[0] != &first.Raw[0] {
			out = append(out, f.Raw...)
		}
	}
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, "\r\n"...)
	}
	return append(out, "\r\n"...)
}

func libraryReason(err error) string {
	return plainReason(strings.TrimPrefix(err.Error(), "dkim: "))
}

// maxBlank is how many octets of line ends, with nothing but blanks between them, go into the hash of a body. The
// library keeps such a run in memory, since it may turn out to be the end, and copies it with each chunk it reads:
// ten megabytes of them would take minutes.
const maxBlank = 16 << 10

// tameReader hands on a body as long as ctx lasts and the body can be hashed with little memory and time.
type tameReader struct {
	ctx  context.Context
	r    io.Reader
	any  bool  // the body is only copied
	run  int   // octets of line ends since the last character that shows
	wild bool  // a run was too long; the rest was not read
	err  error // of reading; io.EOF is none
}

// Read reads; a wild body ends early.
func (t *tameReader) Read(p []byte) (int, error) {
	if t.err = t.ctx.Err(); t.err != nil {
		return 0, t.err
	}
	if t.wild {
		return 0, io.EOF
	}
	n, err := t.r.Read(p)
	if !t.any && !t.count(p[:n]) {
		t.wild = true
		return 0, io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// count follows the runs of line ends, and tells whether they are short enough.
func (t *tameReader) count(p []byte) bool {
	for _, c := range p {
		switch c {
		case '\r', '\n':
			if t.run++; t.run > maxBlank {
				return false
			}
		case ' ', '\t':
		default:
			t.run = 0
		}
	}
	return true
}
