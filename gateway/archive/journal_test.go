package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	gwmail "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// message is what is archived in most tests.
const message = "From: Erika <erika@firma.example>\r\nTo: Bob <BOB@partner.example>\r\nCc: \"Carl, C.\" <carl@partner.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Message-ID: <1@firma.example>\r\n\r\nHello\r\n"

func address(t testing.TB, s string) gwmail.Address {
	t.Helper()
	a, err := gwmail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// copyOf is a copy of a message from inside, with a hidden recipient.
func copyOf(t testing.TB, original string) Copy {
	t.Helper()
	return Copy{
		Original: text(original), MessageID: "<c1.mark@gw.firma.example>", To: address(t, "journal@archive.example"), From: address(t, "admin@firma.example"),
		Record: Record{
			ID: "c1", Archive: "gobd", Message: "m1", Host: "gw.firma.example", Direction: gwmail.Outgoing, Received: time.Date(2031, 3, 4, 5, 6, 7, 8e6, time.UTC),
			From: "erika@firma.example", Client: Client{Listener: "exchange", Helo: "ex\x1b[1m", User: "erika"},
			Recipients: []Recipient{
				{Address: address(t, "bob@partner.example"), Done: "signed and encrypted", Queue: "q1", Rule: "sign=true by rule 1"},
				{Address: address(t, "carl@partner.example"), Done: "signed"}, {Address: address(t, "hidden@partner.example"), Done: "encrypted"},
			},
		},
	}
}

// part is one part of a journal message, decoded.
type part struct {
	kind, name string
	body       []byte
}

// parse takes a journal message apart with the parsers of the standard library.
func parse(t testing.TB, raw []byte) (mail.Header, []part) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("it is %s: %v", kind, err)
	}
	var parts []part
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "base64":
			body, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(body), "\r\n", ""))
		case "quoted-printable":
			body, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{kind, p.FileName(), body})
	}
}

func journal(t testing.TB, c Copy) []byte {
	t.Helper()
	j, err := c.Journal()
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil || int64(len(raw)) != j.Size() {
		t.Fatalf("%d bytes of %d: %v", len(raw), j.Size(), err)
	}
	if high := bytes.IndexFunc(raw, func(r rune) bool { return r > 127 }) >= 0; high != j.Has8Bit() {
		t.Errorf("has 8 bit: %v", j.Has8Bit())
	}
	return raw
}

// The journal message has what archives read of the envelope, hidden recipients too, and says to people and programs what was done.
func TestJournal(t *testing.T) {
	header, parts := parse(t, journal(t, copyOf(t, message)))
	if _, ok := header["X-Ms-Journal-Report"]; !ok || header.Get("To") != "<journal@archive.example>" || header.Get("Message-ID") != "<c1.mark@gw.firma.example>" {
		t.Errorf("header %v", header)
	}
	if got := header.Get(Field); got != "gobd; id=c1; message=m1" {
		t.Errorf("%s: %s", Field, got)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || subject != "Grüße" {
		t.Errorf("subject %q, %v", subject, err)
	}
	var kinds []string
	for _, p := range parts {
		kinds = append(kinds, p.kind+" "+p.name)
	}
	if got := strings.Join(kinds, ", "); got != "text/plain , message/rfc822 original.eml, text/plain siegel.txt, application/json siegel.json" {
		t.Fatal(got)
	}
	if got, want := string(parts[0].body), "Sender: erika@firma.example\r\nSubject: Grüße\r\nMessage-Id: <1@firma.example>\r\nTo: bob@partner.example\r\nCc: carl@partner.example\r\nBcc: hidden@partner.example\r\n"; got != want {
		t.Errorf("envelope\n%s", got)
	}
	for _, want := range []string{"Ausgehende Nachricht", "Outgoing message", "Empfänger (Bcc): hidden@partner.example", "Rule: sign=true by rule 1", sum(message)} {
		if !strings.Contains(string(parts[2].body), want) {
			t.Errorf("%q is not in\n%s", want, parts[2].body)
		}
	}
	if strings.Contains(string(parts[2].body), "\x1b") {
		t.Error("a stranger's control characters are in the text")
	}
	var r Record
	if err := json.Unmarshal(parts[3].body, &r); err != nil || r.Version != Version || r.Original.SHA256 != sum(message) || r.Recipients[2].Field != "Bcc" || r.ID != "c1" {
		t.Errorf("%+v, %v", r, err)
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// What was decrypted stands behind what came, or before it, and what was found is in words of both languages.
func TestJournalOfIncoming(t *testing.T) {
	c := copyOf(t, message)
	c.Record.Direction, c.Record.From, c.Record.DeMail, c.Record.NotOpened = gwmail.Incoming, "", true, "the key did not come back in time"
	c.Decrypted = text("Subject: inside\r\n\r\nplain\r\n")
	c.Record.SMIME = &smime.Report{Verdict: smime.Broken, Layers: []smime.Layer{
		{Type: smime.TypeEnveloped, Algorithm: "aes256-cbc", Decrypted: true}, {Type: smime.TypeSigned, Verdict: smime.Broken, Signers: []smime.SignerVerdict{{Address: "x@y", Subject: "CN=x", Verdict: smime.Broken, Reasons: []string{"digest\r\nInjected: yes"}}}},
	}}
	for _, first := range []bool{false, true} {
		c.DecryptedFirst = first
		_, parts := parse(t, journal(t, c))
		one, two := parts[1], parts[2]
		if first {
			one, two = two, one
		}
		if one.name != OriginalName || two.name != DecryptedName || string(one.body) != message || !strings.Contains(string(two.body), "plain") {
			t.Fatalf("%s, %s", one.name, two.name)
		}
		if !strings.HasPrefix(string(parts[0].body), "Sender: <>\r\n") || !strings.Contains(string(parts[0].body), "Recipient: hidden@partner.example\r\n") {
			t.Errorf("envelope\n%s", parts[0].body)
		}
		for _, want := range []string{"Abgeholt als De-Mail", "Signatur passt nicht zum Inhalt (broken)", "signature does not fit the content (broken)", "1. aes256-cbc, entschlüsselt, ohne Schutz vor Veränderung", "the key did not come back in time", sum("Subject: inside\r\n\r\nplain\r\n")} {
			if !strings.Contains(string(parts[3].body), want) {
				t.Errorf("%q is not in\n%s", want, parts[3].body)
			}
		}
		if strings.Contains(string(parts[3].body), "\nInjected") {
			t.Error("a reason makes lines of its own")
		}
		var r struct {
			Decrypted *Part
			SMIME     json.RawMessage
		}
		if err := json.Unmarshal(parts[4].body, &r); err != nil || r.Decrypted == nil || !bytes.Contains(r.SMIME, []byte(`"broken"`)) {
			t.Errorf("%s, %v", parts[4].body, err)
		}
	}
}

// hostile are messages that are none, or that want to be taken for something else.
func hostile() map[string]string {
	long := strings.Repeat("x", 100_000)
	return map[string]string{
		"empty":           "",
		"no header":       "\r\nbody",
		"garbage":         "\x00\x01\xff\xfe no colon\r\n\x80",
		"bare line ends":  "Subject: a\n\nb\rc\r\n",
		"long line":       "Subject: a\r\n\r\n" + long + "\r\n",
		"long field":      "Subject: " + long + "\r\nTo: " + long + "\r\n\r\n",
		"huge header":     "Subject: a\r\n" + strings.Repeat("X: "+long[:900]+"\r\n", 800) + "\r\nb",
		"no end":          "Subject: a\r\n\r\nno line end",
		"only CR":         "Subject: a\r\n\r\nends in CR\r",
		"8 bit":           "Subject: Grüße\r\n\r\nGrüße \xff\r\n",
		"boundaries":      "Content-Type: multipart/mixed; boundary=siegel-\r\n\r\n--siegel-\r\n\r\n--siegel---\r\n",
		"nested":          strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 5000) + "end",
		"two subjects":    "Subject: a\r\nSubject: b\r\nMessage-ID: <a>\r\nMessage-ID: <b>\r\n\r\n",
		"folded subject":  "Subject: a\r\n Bcc: injected@x.example\r\n\tSender: y\r\n\r\n",
		"encoded newline": "Subject: =?utf-8?Q?a=0D=0ABcc:_injected@x.example?=\r\nMessage-ID: <a\r\n b>\r\n\r\n",
		"broken lists":    "To: <<>>, @@, bob@partner.example:;\r\nCc: (((((\r\n\r\n",
	}
}

// Whatever a message is, it comes out of the archive byte for byte, and nothing in it makes lines of the envelope.
func TestJournalKeepsEveryByte(t *testing.T) {
	for name, original := range hostile() {
		t.Run(name, func(t *testing.T) {
			c := copyOf(t, original)
			c.Decrypted = text(original)
			raw := journal(t, c)
			for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
				if len(line) > mostLine || bytes.ContainsAny(line, "\r\n\x00") {
					t.Fatalf("a line that SMTP does not carry: %d bytes", len(line))
				}
			}
			_, parts := parse(t, raw)
			if len(parts) != 5 || string(parts[1].body) != original || string(parts[2].body) != original {
				t.Fatalf("%d parts, %d and %d bytes of %d", len(parts), len(parts[1].body), len(parts[2].body), len(original))
			}
			lines := strings.Split(strings.TrimSuffix(string(parts[0].body), "\r\n"), "\r\n")
			if len(lines) != 6 {
				t.Errorf("envelope %q", lines)
			}
			var r Record
			if err := json.Unmarshal(parts[4].body, &r); err != nil || r.Original.SHA256 != sum(original) || r.Original.Size != int64(len(original)) {
				t.Errorf("%+v, %v", r.Original, err)
			}
		})
	}
}

// A message that cannot be read to its end is not archived as if it were whole.
func TestJournalOfWhatIsCut(t *testing.T) {
	for name, content := range map[string]gwmail.Content{"cut": cut{size: 100, body: "Subject: a\r\n\r\n"}, "broken": cut{size: 14, body: "Subject: a\r\n\r\n", err: fmt.Errorf("disk")}} {
		c := copyOf(t, "")
		c.Original = content
		if _, err := c.Journal(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// cut is content that is not as it says.
type cut struct {
	size int64
	body string
	err  error
}

func (c cut) Size() int64 { return c.size }

func (c cut) Open() (io.ReadCloser, error) {
	var end io.Reader = strings.NewReader("")
	if c.err != nil {
		end = failing{c.err}
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(c.body), end)), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
