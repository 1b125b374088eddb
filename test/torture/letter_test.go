package torture

import (
	"bytes"
	"fmt"
	"strings"
)

// Who is there. Mail to bob must be encrypted, mail to dora is relayed as it is; the next hop refuses nobody.
const (
	alice  = "alice@firma.example"
	bob    = "bob@partner.example"
	carol  = "carol@partner.example"
	dora   = "dora@other.example"
	nobody = "nobody@other.example"
)

// planted stands in every body: what may be read nowhere but where it belongs.
const planted = "PLANTED-PLAIN-TEXT"

// kind is one way that mail takes through the gateway.
type kind struct {
	name     string
	listener string // internal or external
	from     string
	to       []string
	sealed   bool // comes encrypted, and is decrypted by the gateway
}

// kinds are those of all tests; weight by repetition.
func kinds() []kind {
	relay := kind{name: "relay", listener: "internal", from: alice, to: []string{dora}}
	protected := kind{name: "protected", listener: "internal", from: alice, to: []string{bob}}
	return []kind{
		relay, relay, protected, protected,
		{name: "two variants", listener: "internal", from: alice, to: []string{bob, dora}},
		{name: "refused by the next hop", listener: "internal", from: alice, to: []string{nobody, dora}},
		{name: "incoming", listener: "external", from: carol, to: []string{alice}},
		{name: "incoming, encrypted", listener: "external", from: carol, to: []string{alice}, sealed: true},
	}
}

// letter is one message.
type letter struct {
	kind
	id   string // names it in Message-ID and in every line of the body
	size int    // of the body, about
}

// body is made from the id alone, so that it need not be kept.
func (l *letter) body() []byte {
	block := fmt.Sprintf("%s %s\r\n.a line that begins with a dot\r\n..\r\n%s\r\n", planted, l.id, strings.Repeat("0123456789", 7))
	return bytes.Repeat([]byte(block), l.size/len(block)+1)
}

// bytes is the whole message; an encrypted one has the body of s.
func (l *letter) bytes(s *sealed) []byte {
	head := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: number %s\r\nMessage-ID: <%s@torture.example>\r\nMIME-Version: 1.0\r\n",
		l.from, strings.Join(l.to, ", "), l.id, l.id)
	if l.sealed {
		return append([]byte(head), s.wire...)
	}
	return append([]byte(head+"Content-Type: text/plain; charset=us-ascii\r\n\r\n"), l.body()...)
}

// sealed is an entity that was encrypted to alice: its Content fields, a blank line and its body; and what
// is in it. It is made once, since every message may have the same.
type sealed struct{ wire, text []byte }

// check says what is wrong with a message as it came to a recipient; empty: nothing.
func (l *letter) check(to string, came []byte, s *sealed, open func([]byte) ([]byte, error)) string {
	want := l.body()
	if l.sealed {
		want = s.text
	}
	if to == bob {
		if !bytes.Contains(came, []byte("application/pkcs7-mime")) || bytes.Contains(came, []byte(planted)) {
			return "came without encryption"
		}
		opened, err := open(came)
		if err != nil {
			return "cannot be decrypted: " + err.Error()
		}
		came = opened
	}
	if !bytes.Contains(came, want) {
		return fmt.Sprintf("came altered: %d octets, %d in the body that was sent", len(came), len(want))
	}
	return ""
}
