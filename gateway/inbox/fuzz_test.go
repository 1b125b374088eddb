package inbox_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime/entity"
)

// keeping is a queue that keeps what it gets, and a record that knows one submission to which everything belongs.
type keeping struct {
	quiet
	entries []queue.New
	content [][]byte
}

func (k *keeping) Put(_ context.Context, entries []queue.New) error {
	for _, e := range entries {
		r, err := e.Content.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		r.Close()
		k.entries, k.content = append(k.entries, e), append(k.content, b)
	}
	return nil
}

func (*keeping) List(context.Context, queue.Filter) ([]queue.Message, error) { return nil, nil }

type matching struct{ quietRecord }

func (matching) Arrived(_ context.Context, a proof.Arrival) (proof.Arrival, bool, error) {
	return a, false, nil
}

func (matching) Confirm(_ context.Context, e proof.Evidence) ([]proof.Record, bool, error) {
	author, _ := mail.ParseAddress("erika@firma.example")
	return []proof.Record{{Key: "k", ID: "id", Author: author, Subject: "x\r\ny\x00=?utf-8?Q?z", MessageID: "<a@b> <c>"}}, false, nil
}

// Whatever a provider gives becomes one message that a mail server takes, of which the gateway's word stands once; nothing is lost of what it gave.
func FuzzFetch(f *testing.F) {
	for _, pattern := range []string{"integrity/authoritative.eml", "integrity/sha256.eml", "normal.eml"} {
		data, err := os.ReadFile(filepath.Join("../../connectors/demail/testdata", pattern))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("X-de-mail-message-type: notification\r\nX-Siegel-DeMail: verified\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/xml\r\n\r\n" +
		"<Notification-Message xmlns=\"urn:de-mail\"><Subject>x</Subject><Text>&#10;y&#x85;</Text><Time>2026-11-26T10:00:00</Time><Sender>z</Sender></Notification-Message>\r\n--x--\r\n"))
	f.Add([]byte("Subject: x\n\n\n.\r\n"))
	pemData, err := os.ReadFile("../../connectors/demail/testdata/keys/ca.crt")
	if err != nil {
		f.Fatal(err)
	}
	block, _ := pem.Decode(pemData)
	ca, err := x509x.ParseCertificate(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	spool, err := atrest.NewSpool(f.TempDir(), atrest.NewKey(), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }
	fallback, _ := mail.ParseAddress("fallback@firma.example")
	f.Fuzz(func(t *testing.T, data []byte) {
		k := &keeping{}
		i, err := inbox.New(inbox.Options{
			Account: account, Provider: lay(string(data)), Record: matching{quietRecord{&k.quiet}}, Queue: k, Ways: &k.quiet, Spool: spool, Recorder: recorder{},
			Verifier: demail.Verifier{Trust: anchors.New([]*x509.Certificate{ca}, nil)}, Fallback: fallback, Service: inbox.Service{Every: true},
			Tell: []mail.Address{fallback}, Clean: func(h *entity.Header) { smtpin.Firewall(h, host, false) }, Entered: func(queue.New) {},
			Alarm: func(_ context.Context, id texts.ID, v texts.Values) {
				subject, text := (*texts.Texts)(nil).Notice(id, v)
				sound(t, []byte(strings.ReplaceAll(subject+"\n"+text, "\n", "\r\n")))
			}, Hostname: host, Now: now,
		})
		must(t, err)
		must(t, i.Fetch(t.Context()))
		if len(k.entries) == 0 {
			t.Fatal("it is lost")
		}
		for n, e := range k.entries {
			b := k.content[n]
			sound(t, b)
			if e.Content.Size() != int64(len(b)) {
				t.Errorf("%d bytes, and it says %d", len(b), e.Content.Size())
			}
			h, _, err := entity.Read(bytes.NewReader(b), 1<<20)
			must(t, err)
			own := h.Filter(func(f entity.Field) bool { return f.HasPrefix("X-Siegel-") })
			switch {
			case !e.Envelope.Fetched || !e.Envelope.From.IsNull():
				t.Error("it may be given up, or reported")
			case e.Envelope.Internal && own.Len() != 0:
				t.Errorf("a letter bears %s", own.Bytes())
			case !e.Envelope.Internal && (own.Len() != 1 || !h.Fields()[0].Is("X-Siegel-DeMail")):
				t.Errorf("it bears %s", own.Bytes())
			case !e.Envelope.Internal && !bytes.HasSuffix(b, data[bytes.Index(data, []byte("\r\n\r\n"))+4:]):
				t.Error("its body was changed")
			}
		}
	})
}

// sound fails where a message cannot go by SMTP.
func sound(t *testing.T, b []byte) {
	t.Helper()
	rest := bytes.ReplaceAll(b, []byte("\r\n"), nil)
	if bytes.ContainsAny(rest, "\r\n\x00") {
		t.Errorf("no message for SMTP: %q", b)
	}
}
