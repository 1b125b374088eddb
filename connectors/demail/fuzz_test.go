package demail

import (
	"bufio"
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
)

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"erika.mustermann@dmda-a.de-mail.de", "pn_x@a.de", "A@B_c.de", "ä@b.de", "a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a || len(a.String()) > MaxAddress {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
		if !strings.EqualFold(a.String(), s) || a.String() != strings.ToLower(a.String()) {
			t.Fatalf("%q became %q", s, a)
		}
	})
}

func FuzzParseRecipients(f *testing.F) {
	for _, s := range []string{`to="a, b" <a@x.de>; cc=b@x.de,c@x.de;bcc=d@x.de`, "to=a@x.de;b@x.de", `to="\`, "cc==?utf-8?Q?=C3=BC?= <a@x.de>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRecipients(s)
		if err != nil {
			return
		}
		again, err := ParseRecipients(r.String())
		if err != nil || len(again.All()) != len(r.All()) {
			t.Fatalf("%q is written as %q: %v", s, r.String(), err)
		}
		for i, m := range r.All() {
			if again.All()[i].Address != m.Address {
				t.Fatalf("%q is written as %q", s, r.String())
			}
		}
	})
}

// A header writes back as it was read; metadata that were read can be written, and say the same.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Subject: a\r\n b\r\nX-de-mail-private: yes\r\n\r\nbody"))
	for _, name := range []string{"sha256-rsa-rsa.eml", "sha512.eml"} {
		f.Add(load(f, "integrity", name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		if raw := h.Bytes(); !bytes.HasPrefix(data, append(raw, "\r\n"...)) {
			t.Fatalf("%q", raw)
		}
		m, err := ParseMetadata(h)
		if err != nil {
			return
		}
		if settled, err := ParseMetadata(h.Settled()); err != nil || !reflect.DeepEqual(settled.present, m.present) {
			t.Fatalf("settled: %v", err)
		}
		fields, err := m.Fields()
		if err != nil {
			return // a text that is not ASCII, in a field that has to be
		}
		again, err := ParseMetadata(NewHeader(fields...))
		if err != nil || again.Options != m.Options || again.Sender != m.Sender || again.PrivateID != m.PrivateID || again.Type != m.Type {
			t.Fatalf("%+v\n%+v\n%v", m, again, err)
		}
	})
}

// What is refused does not panic; what is verified as signed is a vector's.
func FuzzMessage(f *testing.F) {
	for _, name := range []string{"sha256-rsa-rsa.eml", "sha256-ec-dsa-P-256.eml", "sha512.eml"} {
		f.Add(load(f, "integrity", name))
	}
	_, signed := message(f, load(f, "integrity", "sha256-rsa-rsa.eml"))
	signed = bytes.TrimRight(signed, "\r\n")
	v := verifier(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		h, err := ReadHeader(r)
		if err != nil {
			return
		}
		var body bytes.Buffer
		if _, err := r.WriteTo(&body); err != nil {
			t.Fatal(err)
		}
		got, err := v.Message(t.Context(), h, bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Trusted() && !bytes.Equal(bytes.TrimRight(body.Bytes(), "\r\n"), signed) {
			t.Fatalf("nobody signed %q", body.Bytes())
		}
	})
}

func FuzzIntegrity(f *testing.F) {
	f.Add("v=1; a=sha256/rsa; c=simple/simple; q=" + query + "; h=from: date; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA")
	f.Add("a=sha256;h=from;bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;b=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;t=1")
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseIntegrity(s)
		if err != nil {
			return
		}
		raw, err := withoutValue([]byte("x-de-mail-integrity:" + s + "\r\n"))
		if err != nil {
			t.Fatalf("%q: what is read has a tag b: %v", s, err)
		}
		_, value, _ := strings.Cut(string(raw), ":")
		tags, err := parseTags(value)
		if err != nil || tags["b"] != "" {
			t.Fatalf("%q: %q, %v", s, raw, err)
		}
		if len(i.Fields) == 0 || len(i.BodyHash) != i.Hash.Size() {
			t.Fatalf("%+v", i)
		}
	})
}

// XML that is verified says what was signed in the vectors, and nothing else.
func FuzzXML(f *testing.F) {
	texts := make(map[string]bool)
	for _, name := range vectors(f, "xml/*.xml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		if signed, err := verifyXML(data, nil); err == nil {
			a, err := parseAcknowledgement(signed.content)
			if err != nil {
				f.Fatal(err)
			}
			texts[a.Subject+a.Text+a.Hash+a.Sender] = true
		}
	}
	v := verifier(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		signed, err := verifyXML(data, nil)
		if err != nil {
			return
		}
		if !v.judge(t.Context(), signed.certificate, signed.others, Address{}).Trusted() {
			return
		}
		a, err := parseAcknowledgement(signed.content)
		if err != nil || !texts[a.Subject+a.Text+a.Hash+a.Sender] {
			t.Fatalf("nobody signed %+v, %v", a, err)
		}
	})
}

func FuzzConfirmation(f *testing.F) {
	for _, kind := range []MessageType{TypeReceipt, TypeRetrieve} {
		h, body := confirmation(f, made{kind: kind})
		f.Add(join(h, body))
	}
	doc, err := Report{Subject: "a", Text: "b", Sender: "c"}.XML()
	if err != nil {
		f.Fatal(err)
	}
	s := Sealer{}
	h, body := envelope(f, made{kind: TypeNotification, seal: &s}, "meldung@dmda-b.de-mail.de", doc)
	f.Add(join(h, body))
	v := verifier(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		h, err := ReadHeader(r)
		if err != nil {
			return
		}
		if c, err := v.Confirmation(t.Context(), h, r); err == nil {
			_, _, _ = c.Proven(), c.Undecided(), c.Metadata
			_, _ = c.Original()
			_ = c.CoversHeader()
			if c.Signature.State == StateBroken && (c.Text != "" || c.Hash != "") {
				t.Fatal("what is not signed is shown")
			}
		}
		if _, err := v.Notification(t.Context(), h, bytes.NewReader(data)); err != nil {
			return
		}
	})
}
