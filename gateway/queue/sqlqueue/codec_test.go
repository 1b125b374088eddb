package sqlqueue

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// What lies in queues since before De-Mail is read, and written, as it was.
func TestEnvelopesOfBefore(t *testing.T) {
	plain := record{envelope: mail.Envelope{From: mail.Address{Local: "a", Domain: "b.example"}, Internal: true}, note: "n"}
	plain.envelope.Recipients = []mail.Recipient{{Address: mail.Address{Local: "c", Domain: "d.example"}}}
	pending := plain
	pending.pending = []byte("p")
	for _, c := range []struct {
		r    record
		want string
	}{
		{plain, "01026e026112622e6578616d706c6501000000000000000002026312642e6578616d706c650000"},
		{pending, "02026e026112622e6578616d706c6501000000000000000002026312642e6578616d706c6500000270"},
	} {
		if got := hex.EncodeToString(c.r.encode()); got != c.want {
			t.Errorf("written as\n%s, once\n%s", got, c.want)
		}
		old, _ := hex.DecodeString(c.want)
		if got, err := decodeRecord(old); err != nil || !reflect.DeepEqual(got, c.r) {
			t.Errorf("read as %+v, %v", got, err)
		}
	}
}

// A De-Mail whose sender cannot be read, or is not what was written, is none: it is held, not sent as something else.
func TestEnvelopeOfDeMail(t *testing.T) {
	sender, err := demail.ParseAddress("kontakt@firma.de-mail.de")
	if err != nil {
		t.Fatal(err)
	}
	r := record{note: "n"}
	r.envelope.Recipients = []mail.Recipient{}
	r.envelope.DeMail = &mail.DeMail{Account: "main", Sender: sender, Options: demail.Options{Private: true}}
	for want, pending := range map[byte][]byte{codecDeMail: nil, codecBoth: []byte("p")} {
		r.pending = pending
		data := r.encode()
		if got, err := decodeRecord(data); err != nil || data[0] != want || !reflect.DeepEqual(got, r) {
			t.Errorf("version %d: %+v, %v", data[0], got, err)
		}
		for _, change := range []struct{ old, with string }{
			{"kontakt@firma.de-mail.de", "kontakt firma.de-mail.de"},
			{"kontakt@firma.de-mail.de", "Kontakt@firma.de-mail.de"},
		} {
			if _, err := decodeRecord(bytes.Replace(data, []byte(change.old), []byte(change.with), 1)); !errors.Is(err, errCodec) {
				t.Errorf("%s: %v", change.with, err)
			}
		}
		for cut := range data {
			if _, err := decodeRecord(data[:cut]); !errors.Is(err, errCodec) {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	}
}

// A copy for an archive is told by its version, so that a program that does not know of archives holds it.
func TestEnvelopeOfArchive(t *testing.T) {
	r := record{note: "n", archive: []byte("{\"id\":1}")}
	r.envelope.Recipients = []mail.Recipient{}
	data := r.encode()
	if got, err := decodeRecord(data); err != nil || data[0] != codecArchive || !reflect.DeepEqual(got, r) {
		t.Errorf("version %d: %+v, %v", data[0], got, err)
	}
	for cut := range data {
		if _, err := decodeRecord(data[:cut]); !errors.Is(err, errCodec) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}
