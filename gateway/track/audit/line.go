package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// maxLine bounds one line of the log, and so what one act may say.
const maxLine = 1 << 20

// macLength is that of a MAC in hexadecimal.
const macLength = 64

// none stands for the entry before the first.
var none = strings.Repeat("0", macLength)

var (
	errLine  = errors.New("this is not an entry")
	errSeal  = errors.New("the entry was altered, or written under another at-rest key")
	macField = []byte(`,"mac":"`)
)

// body is a line without its MAC. In clear are its number, the time and the kind of act.
type body struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	What string    `json:"what"`
	Act  []byte    `json:"act"`  // sealed
	Prev string    `json:"prev"` // MAC of the entry before
}

// inner is what is sealed of an act.
type inner struct {
	Who     string   `json:"who"`
	Subject []string `json:"subject,omitempty"`
	Detail  string   `json:"detail,omitempty"`
}

// place binds a sealed act to its line.
func (b body) place() []byte {
	return binary.BigEndian.AppendUint64([]byte("audit "+b.Prev), b.Seq)
}

// line is the text of one entry as it stands in the file, without its line end.
type line struct {
	body body
	raw  []byte // what the MAC is over
	mac  string
}

// newLine writes the entry after last.
func newLine(key atrest.Key, last position, a admin.Act) ([]byte, position, error) {
	b := body{Seq: last.seq + 1, Time: a.Time.UTC(), What: valid(a.What), Prev: last.mac}
	subject := make([]string, len(a.Subject))
	for i, s := range a.Subject {
		subject[i] = valid(s)
	}
	text, err := json.Marshal(inner{valid(a.Who), subject, valid(a.Detail)})
	if err != nil {
		return nil, last, fmt.Errorf("audit: %w", err)
	}
	if b.Act, err = key.Seal(text, b.place()); err != nil {
		return nil, last, fmt.Errorf("audit: %w", err)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, last, fmt.Errorf("audit: %w", err)
	}
	out, mac := sign(key, raw)
	if len(out) > maxLine {
		return nil, last, ErrTooLarge
	}
	return out, position{seq: b.Seq, mac: mac, prev: b.Prev}, nil
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// sign puts the MAC of raw, an object in JSON, into it as its last field.
func sign(key atrest.Key, raw []byte) (text []byte, mac string) {
	mac = hex.EncodeToString(key.MAC(raw))
	text = append(text, raw[:len(raw)-1]...)
	text = append(text, macField...)
	text = append(text, mac...)
	return append(text, `"}`...), mac
}

// split takes the MAC out of an object again. It reads nothing but what sign writes.
func split(text []byte) (raw []byte, mac string, ok bool) {
	at := len(text) - len(macField) - macLength - len(`"}`)
	if len(text) > maxLine || at < 1 || !bytes.HasPrefix(text[at:], macField) || !bytes.HasSuffix(text, []byte(`"}`)) {
		return nil, "", false
	}
	mac = string(text[at+len(macField) : len(text)-len(`"}`)])
	if b, err := hex.DecodeString(mac); err != nil || hex.EncodeToString(b) != mac {
		return nil, "", false
	}
	return append(bytes.Clone(text[:at]), '}'), mac, true
}

// parseLine reads what newLine wrote, and nothing else: errLine. It does not check the MAC.
func parseLine(text []byte) (line, error) {
	raw, mac, ok := split(text)
	if !ok {
		return line{}, errLine
	}
	l := line{raw: raw, mac: mac}
	if json.Unmarshal(raw, &l.body) != nil {
		return line{}, errLine
	}
	again, err := json.Marshal(l.body)
	if err != nil || !bytes.Equal(again, raw) || l.body.Seq == 0 || len(l.body.Prev) != macLength {
		return line{}, errLine
	}
	return l, nil
}

// genuine reports whether the line was written under key.
func (l line) genuine(key atrest.Key) bool { return hex.EncodeToString(key.MAC(l.raw)) == l.mac }

// open decrypts the entry of a genuine line.
func (l line) open(key atrest.Key) (Entry, error) {
	e := Entry{Seq: l.body.Seq, Time: l.body.Time, What: l.body.What, Prev: l.body.Prev, MAC: l.mac}
	text, err := key.Open(l.body.Act, l.body.place())
	if err != nil {
		return e, errSeal
	}
	var in inner
	if err := json.Unmarshal(text, &in); err != nil {
		return e, errSeal
	}
	e.Who, e.Subject, e.Detail = in.Who, in.Subject, in.Detail
	return e, nil
}
