package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
)

// text is a message in memory.
type text []byte

// Open returns the bytes from the first.
func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }

// Size is the number of bytes.
func (t text) Size() int64 { return int64(len(t)) }

// buffer is scratch memory for opening messages on the partner's side.
type buffer struct{ bytes.Buffer }

// Open returns the bytes written so far.
func (b *buffer) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.Bytes())), nil
}

// Size is the number of bytes written so far.
func (b *buffer) Size() int64 { return int64(b.Len()) }

// Close forgets the bytes.
func (b *buffer) Close() error {
	b.Reset()
	return nil
}

// attachment is what Alice attaches: rows of numbers that compress to nothing in particular.
func attachment() []byte {
	var b bytes.Buffer
	b.WriteString("item;quantity;price\r\n")
	for i := range 400 {
		fmt.Fprintf(&b, "beam %d;%d;%d.%02d\r\n", i+1, i%7+1, 100+i*3, i%100)
	}
	return b.Bytes()
}

// offer is the message from Alice to Bob.
func offer(now time.Time) text {
	const boundary = "=_siegel-demo"
	var b strings.Builder
	b.WriteString(header(alice, bob, "Offer for the bridge", now))
	b.WriteString("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n")
	b.WriteString("--" + boundary + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	b.WriteString("Hello Bob,\r\n\r\nthe offer is attached. Prices are confidential.\r\n\r\nGrüße\r\nAlice\r\n")
	b.WriteString("--" + boundary + "\r\nContent-Type: text/csv; name=\"offer.csv\"\r\nContent-Transfer-Encoding: base64\r\n")
	b.WriteString("Content-Disposition: attachment; filename=\"offer.csv\"\r\n\r\n")
	b.WriteString(base64Lines(attachment()))
	b.WriteString("--" + boundary + "--\r\n")
	return text(b.String())
}

// reply is the message from Bob to Alice before it is protected.
func reply(now time.Time) text {
	return text(header(bob, alice, "Re: Offer for the bridge", now) +
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n" +
		"Dear Alice,\r\n\r\nwe accept.\r\n\r\nBob\r\n")
}

func header(from, to, subject string, now time.Time) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d.%s>\r\nMIME-Version: 1.0\r\n",
		from, to, subject, now.Format(time.RFC1123Z), now.UnixNano(), from)
}

// base64Lines encodes in lines of 76 (RFC 2045, 6.8).
func base64Lines(data []byte) string {
	const width = 76
	all := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(all) > width {
		b.WriteString(all[:width] + "\r\n")
		all = all[width:]
	}
	b.WriteString(all + "\r\n")
	return b.String()
}
