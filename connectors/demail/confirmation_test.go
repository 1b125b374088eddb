package demail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// made says how a confirmation is made for a test; the zero made is a good one of receipt.
type made struct {
	kind   MessageType
	sender string // in the XML
	change func(*Acknowledgement)
	xml    func([]byte) []byte
	header func(Header) Header // before it is sealed
	seal   *Sealer
	sign   *Sealer
	body   func([]byte) []byte // before it is sealed
}

// original is the message that is confirmed, sealed.
func original(t testing.TB) (Header, []byte) {
	return message(t, load(t, "integrity", "sha256-rsa-rsa.eml"))
}

// confirmation makes one.
func confirmation(t testing.TB, m made) (Header, []byte) {
	t.Helper()
	if m.kind == "" {
		m.kind = TypeReceipt
	}
	system := map[MessageType]string{TypeDispatch: "Versandbestaetigung", TypeReceipt: "Eingangsbestaetigung", TypeRetrieve: "Abholbestaetigung",
		TypeMalwareAcknowledge: "Schadsoftware-Warnung"}[m.kind] + "@dmda-b.de-mail.de"
	if m.sender == "" {
		m.sender = system
	}
	seal := sealer(t, "rsa", RSA)
	for _, s := range []**Sealer{&m.seal, &m.sign} {
		if *s == nil {
			*s = &seal
		}
	}
	oh, _ := original(t)
	integrity, _ := oh.First(FieldIntegrity)
	a := &Acknowledgement{Sender: m.sender, Metadates: Repeat(oh), Subject: "*" + subjects()[m.kind] + "* Widerspruch", Text: "Hiermit wird bestätigt …",
		Hash: integrity.Value(), Time: time.Date(2026, 11, 26, 10, 0, 5, 0, time.UTC)}
	if m.kind == TypeRetrieve {
		a.DeliveryTime = a.Time.Add(-time.Hour)
	}
	if m.change != nil {
		m.change(a)
	}
	doc, err := a.Sign(*m.sign)
	if err != nil {
		t.Fatal(err)
	}
	if m.xml != nil {
		doc = m.xml(doc)
	}
	return envelope(t, m, system, doc)
}

// envelope puts the XML into a message, and seals that.
func envelope(t testing.TB, m made, system string, doc []byte) (Header, []byte) {
	t.Helper()
	fields, body, err := Body(doc, []byte("%PDF-1.4\n"))
	if err != nil {
		t.Fatal(err)
	}
	erika := address(t, "erika.mustermann@dmda-a.de-mail.de")
	from := address(t, system)
	meta := &Metadata{Type: m.kind, Sender: from, Chosen: Recipients{To: []Mailbox{{"", erika}}}, Actual: Recipients{To: []Mailbox{{"", erika}}},
		Subject: "*" + subjects()[m.kind] + "* Widerspruch", PrivateID: "8c1f-4711  siegel", Date: time.Date(2026, 11, 26, 10, 0, 5, 0, time.UTC),
		DeMailID: "c1", Provider: "pvd.dmda-b.example", Version: Version, From: []Mailbox{{"", from}}, MessageID: "<c1@dmda-b.example>"}
	if m.kind.Notification() {
		meta.NotificationType = NotifyUnknownRecipient
	}
	metadata, err := meta.Fields()
	if err != nil {
		t.Fatal(err)
	}
	h := NewHeader(metadata...).With(fields...)
	if m.header != nil {
		h = m.header(h)
	}
	if m.body != nil {
		body = m.body(body)
	}
	if h, err = m.seal.Seal(h, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	return h, body
}

func TestConfirmation(t *testing.T) {
	for _, kind := range []MessageType{TypeDispatch, TypeReceipt, TypeRetrieve, TypeMalwareAcknowledge} {
		h, body := confirmation(t, made{kind: kind})
		c, err := verifier(t).Confirmation(t.Context(), h, iotest.HalfReader(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(kind, err)
		}
		if !c.Proven() || c.Undecided() || c.Type != kind || string(c.PDF) != "%PDF-1.4\n" || len(c.Metadata.Violations) > 0 {
			t.Errorf("%s: %v %s, %v %s, %s, %v", kind, c.Signature.State, c.Signature.Reason, c.Integrity.State, c.Integrity.Reason, c.Contradiction, c.Metadata.Violations)
		}
		oh, obody := original(t)
		om, err := ParseMetadata(oh)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Keys().Match(KeysOf(om)) || c.Keys().PrivateID != "8c1f-4711  siegel" {
			t.Errorf("%s: %+v", kind, c.Keys())
		}
		if err := c.Covers(bytes.NewReader(obody)); err != nil {
			t.Error(kind, err)
		}
		if err := c.CoversHeader(); err != nil {
			t.Error(kind, err)
		}
		if err := c.Covers(strings.NewReader("another body")); !errors.Is(err, ErrConfirmation) {
			t.Error(kind, err)
		}
		if oh2, err := c.Original(); err != nil || len(oh2.Fields()) != len(c.Metadates) {
			t.Error(kind, err)
		}
	}
}

func TestConfirmationNotProven(t *testing.T) {
	other, digest, p256 := sealer(t, "P-256", ECDSA), Sealer{}, sealer(t, "P-256", ECDSA)
	for name, c := range map[string]struct {
		made      made
		signature State
		integrity State
		why       string // of the contradiction
	}{
		"two keys of the provider": {made{sign: &p256, seal: &other}, StateTrusted, StateTrusted, ""},
		"a digest around it":       {made{seal: &digest}, StateTrusted, StateBroken, ""},
		"a receipt shown as a retrieve": {made{header: func(h Header) Header {
			return h.Without(FieldMessageType).With(field(t, FieldMessageType, string(TypeRetrieve)))
		}}, StateTrusted, StateTrusted, "the header says"},
		"another issuer in it":   {made{sender: "versandbestaetigung@dmda-b.de-mail.de"}, StateTrusted, StateTrusted, "the header says"},
		"a subject of another":   {made{change: func(a *Acknowledgement) { a.Subject = "Abholbestätigung: x" }}, StateTrusted, StateTrusted, "the header says"},
		"says not what it is":    {made{sender: "post@dmda-b.de-mail.de", change: func(a *Acknowledgement) { a.Subject = "Bestätigung" }}, StateTrusted, StateTrusted, "does not say"},
		"only the subject says":  {made{sender: "DMDA B", change: func(a *Acknowledgement) { a.Subject = "Eingangsbestätigung: x" }}, StateTrusted, StateTrusted, ""},
		"of another message":     {made{header: func(h Header) Header { return h.Without(FieldPrivateID).With(field(t, FieldPrivateID, "1")) }}, StateTrusted, StateTrusted, "different messages"},
		"a time of delivery":     {made{change: func(a *Acknowledgement) { a.DeliveryTime = a.Time }}, StateTrusted, StateTrusted, "time of delivery"},
		"no time of delivery":    {made{kind: TypeRetrieve, change: func(a *Acknowledgement) { a.DeliveryTime = time.Time{} }}, StateTrusted, StateTrusted, "time of delivery"},
		"the XML was changed":    {made{xml: func(b []byte) []byte { return bytes.Replace(b, []byte("4711"), []byte("4712"), 1) }}, StateBroken, StateTrusted, ""},
		"not of the schema":      {made{change: func(a *Acknowledgement) { a.Metadates = nil }}, StateBroken, StateTrusted, ""},
		"not XML":                {made{xml: func([]byte) []byte { return []byte("hello") }}, StateBroken, StateTrusted, ""},
		"the XML is not signed":  {made{xml: unsign}, StateBroken, StateTrusted, ""},
		"the body was appended":  {made{}, StateTrusted, StateTrusted, ""},
		"signed without KeyInfo": {made{xml: unkey}, StateTrusted, StateTrusted, ""}, // the certificate of the header does
	} {
		h, body := confirmation(t, c.made)
		if strings.Contains(name, "appended") {
			body = append(body, "x"...)
			c.integrity = StateBroken
		}
		got, err := verifier(t).Confirmation(t.Context(), h, bytes.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Signature.State != c.signature || got.Integrity.State != c.integrity || (c.why == "") != (got.Contradiction == "") || !strings.Contains(got.Contradiction, c.why) {
			t.Errorf("%s: %v (%s), %v (%s), %q", name, got.Signature.State, got.Signature.Reason, got.Integrity.State, got.Integrity.Reason, got.Contradiction)
		}
		good := c.signature == StateTrusted && c.integrity == StateTrusted && c.why == ""
		if got.Proven() != good || got.Undecided() {
			t.Errorf("%s: proven is %v", name, got.Proven())
		}
		if c.signature == StateBroken && (got.Text != "" || got.Hash != "" || got.Metadates != nil) {
			t.Errorf("%s: what is not signed is shown", name)
		}
	}
}

func unsign(b []byte) []byte {
	from, to := bytes.Index(b, []byte("<ds:Signature ")), bytes.Index(b, []byte("</ds:Signature>"))
	return append(bytes.Clone(b[:from]), b[to+len("</ds:Signature>"):]...)
}

func unkey(b []byte) []byte {
	from, to := bytes.Index(b, []byte("<ds:X509Data>")), bytes.Index(b, []byte("</ds:KeyInfo>"))
	return append(bytes.Clone(b[:from]), b[to:]...)
}

func TestConfirmationTrust(t *testing.T) {
	h, body := confirmation(t, made{})
	for name, c := range map[string]struct {
		trust     Trust
		want      State
		undecided bool
	}{
		"nobody":         {nil, StateUntrusted, false},
		"unknown issuer": {anchor{ca: cert(t, "rsa")}, StateUntrusted, false},
		"undecided":      {verdict{Standing: StandingUndecided}, StateUndecided, true},
	} {
		got, err := Verifier{Trust: c.trust}.Confirmation(t.Context(), h, bytes.NewReader(body))
		if err != nil || got.Signature.State != c.want || got.Integrity.State != c.want || got.Proven() || got.Undecided() != c.undecided {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got.Text == "" {
			t.Errorf("%s: what it says is not shown", name)
		}
	}
	var claims []Claim
	v := Verifier{Trust: anchor{ca: cert(t, "ca"), claims: &claims}}
	if _, err := v.Confirmation(t.Context(), h, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if c.Provider.String() != "eingangsbestaetigung@dmda-b.de-mail.de" {
			t.Error(c.Provider)
		}
	}
}

func TestNotAConfirmation(t *testing.T) {
	part := func(kind string) string { return "--b\r\nContent-Type: " + kind + "\r\n\r\n<a/>\r\n" }
	retype := func(kind string) func(Header) Header {
		return func(h Header) Header { return h.Without("Content-Type").With(field(t, "Content-Type", kind)) }
	}
	for name, c := range map[string]struct {
		made made
		want error
	}{
		"a normal message":       {made{header: func(h Header) Header { return h.Without(FieldMessageType).With(field(t, FieldMessageType, "normal")) }}, ErrConfirmation},
		"without a type":         {made{header: func(h Header) Header { return h.Without(FieldMessageType) }}, ErrConfirmation},
		"a type nobody knows":    {made{header: func(h Header) Header { return h.Without(FieldMessageType).With(field(t, FieldMessageType, "x")) }}, ErrField},
		"a text":                 {made{header: retype("text/plain")}, ErrConfirmation},
		"no type of content":     {made{header: func(h Header) Header { return h.Without("Content-Type") }}, ErrConfirmation},
		"alternatives":           {made{header: retype("multipart/alternative; boundary=b")}, ErrConfirmation},
		"no boundary":            {made{header: retype("multipart/mixed")}, ErrConfirmation},
		"another boundary":       {made{header: retype("multipart/mixed; boundary=other")}, ErrConfirmation},
		"no XML":                 {made{header: retype("multipart/mixed; boundary=b"), body: func([]byte) []byte { return []byte(part("text/plain") + "--b--\r\n") }}, ErrConfirmation},
		"two of XML":             {made{header: retype("multipart/mixed; boundary=b"), body: func([]byte) []byte { return []byte(part("text/xml") + part("application/xml") + "--b--\r\n") }}, ErrConfirmation},
		"many parts":             {made{header: retype("multipart/mixed; boundary=b"), body: func([]byte) []byte { return []byte(strings.Repeat(part("text/plain"), 11) + "--b--\r\n") }}, ErrConfirmation},
		"does not end":           {made{header: retype("multipart/mixed; boundary=b"), body: func([]byte) []byte { return []byte("--b\r\nContent-Type: text/xml\r\n\r\n<a/>") }}, ErrConfirmation},
		"base64 that is none":    {made{body: func(b []byte) []byte { return bytes.Replace(b, []byte("\r\n\r\n"), []byte("\r\n\r\n!"), 1) }}, ErrConfirmation},
		"a transfer encoding":    {made{body: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("base64"), []byte("uuencode")) }}, ErrConfirmation},
		"larger than any is":     {made{body: func([]byte) []byte { return make([]byte, MaxConfirmation+1) }}, ErrLimit},
		"an option nobody has":   {made{header: func(h Header) Header { return h.With(field(t, FieldPrivate, "maybe")) }}, ErrField},
		"two of PDF, and no XML": {made{header: retype("multipart/mixed; boundary=b"), body: func([]byte) []byte { return []byte(part("application/pdf") + part("application/pdf") + "--b--\r\n") }}, ErrConfirmation},
	} {
		h, body := confirmation(t, c.made)
		if got, err := verifier(t).Confirmation(t.Context(), h, bytes.NewReader(body)); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	h, _ := confirmation(t, made{})
	if _, err := verifier(t).Confirmation(t.Context(), h, iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// A message as others may make it: quoted-printable, parts in another order, a text for people.
func TestConfirmationOtherForms(t *testing.T) {
	doc, err := acknowledgement().Sign(sealer(t, "P-256", ECDSA))
	if err != nil {
		t.Fatal(err)
	}
	text := "--b\r\nContent-Type: text/plain\r\n\r\nSee the attachments.\r\n"
	pdf := "--b\r\nContent-Type: Application/PDF\r\nContent-Transfer-Encoding: BASE64\r\n\r\nJVBERg==\r\n"
	for name, encoded := range map[string]string{
		"8bit":             "Content-Transfer-Encoding: 8bit\r\n\r\n" + string(doc),
		"none":             "\r\n" + string(doc),
		"quoted-printable": "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.NewReplacer("=", "=3D", "ä", "=C3=A4", "\n", "=0A=\r\n").Replace(string(doc)),
		"base64":           "Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(doc),
	} {
		m := made{kind: TypeReceipt, header: func(h Header) Header {
			return h.Without("Content-Type", FieldPrivateID).With(field(t, "Content-Type", `multipart/mixed; boundary="b"`))
		}, body: func([]byte) []byte {
			return []byte(pdf + text + "--b\r\nContent-Type: application/xml; charset=UTF-8\r\n" + encoded + "\r\n--b--\r\n")
		}}
		s := sealer(t, "P-384", ECDSA)
		m.seal = &s
		h, body := envelope(t, m, "eingangsbestaetigung@dmda-b.de-mail.de", nil)
		c, err := verifier(t).Confirmation(t.Context(), h, bytes.NewReader(body))
		if err != nil || !c.Proven() || string(c.PDF) != "%PDF" {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
	}
}

func TestNotification(t *testing.T) {
	xmllint := peer(t, "xmllint")
	r := Report{Subject: "Unbekannter Empfänger", Text: "Die Nachricht <1@firma.example> konnte nicht zugestellt werden.", Sender: "dmda-b", Time: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	doc, err := r.XML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "n.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(xmllint, "--noout", "--nonet", "--schema", "testdata/de-mail.xsd", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	digest, signed := Sealer{}, sealer(t, "rsa", PSS)
	for _, kind := range []MessageType{TypeNotification, TypeMalwareNotification} {
		for want, s := range map[State]*Sealer{StateHashed: &digest, StateTrusted: &signed} {
			h, body := envelope(t, made{kind: kind, seal: s}, "meldung@dmda-b.de-mail.de", doc)
			n, err := verifier(t).Notification(t.Context(), h, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if n.Report != r || n.About != NotifyUnknownRecipient || n.Type != kind || n.Integrity.State != want || n.PDF == nil || len(n.Metadata.Violations) > 0 {
				t.Errorf("%+v", n)
			}
		}
	}
	for name, doc := range map[string]string{
		"not XML":             "x",
		"a confirmation":      `<Acknowledge-Message xmlns="urn:de-mail"/>`,
		"no namespace":        strings.Replace(string(doc), ` xmlns="urn:de-mail"`, "", 1),
		"another order":       strings.Replace(strings.Replace(string(doc), "Subject>", "X>", 2), "Text>", "Subject>", 2),
		"something missing":   strings.Replace(string(doc), "<Sender>dmda-b</Sender>", "", 1),
		"something more":      strings.Replace(string(doc), "</Notification", "<a/></Notification", 1),
		"a strange date":      strings.Replace(string(doc), "2026-11-26T", "26.11.", 1),
		"an attribute":        strings.Replace(string(doc), "<Text>", `<Text a="b">`, 1),
		"an attribute on top": strings.Replace(string(doc), "<Notification-Message ", `<Notification-Message a="b" `, 1),
		"elements in a text":  strings.Replace(string(doc), "dmda-b", `<Sender>x</Sender>`, 1),
	} {
		h, body := envelope(t, made{kind: TypeNotification, seal: &digest}, "meldung@dmda-b.de-mail.de", []byte(doc))
		if n, err := verifier(t).Notification(t.Context(), h, bytes.NewReader(body)); !errors.Is(err, ErrConfirmation) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	h, body := confirmation(t, made{})
	if n, err := verifier(t).Notification(t.Context(), h, bytes.NewReader(body)); !errors.Is(err, ErrConfirmation) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestKeys(t *testing.T) {
	full := Keys{"p", "d", "m", "i"}
	for i, c := range []struct {
		a, b Keys
		want bool
	}{
		{full, full, true},
		{full, Keys{PrivateID: "p"}, true},
		{full, Keys{DeMailID: "d"}, true},
		{full, Keys{MessageID: "m"}, true},
		{full, Keys{Integrity: "i"}, true},
		{full, Keys{PrivateID: "p", DeMailID: "other"}, false},
		{full, Keys{Integrity: "other", PrivateID: "p"}, false},
		{full, Keys{}, false},
		{Keys{}, Keys{}, false},
		{Keys{PrivateID: "p"}, Keys{DeMailID: "d"}, false},
	} {
		if c.a.Match(c.b) != c.want || c.b.Match(c.a) != c.want {
			t.Error(i, c)
		}
	}
}

// Fields that were changed, left out, or put in, and digests that do not fit.
func TestCoversHeader(t *testing.T) {
	oh, obody := original(t)
	hashed, err := Sealer{}.Seal(oh, bytes.NewReader(obody))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []Header{oh, hashed} {
		integrity, _ := h.First(FieldIntegrity)
		good := func() *Acknowledgement { return &Acknowledgement{Metadates: Repeat(h), Hash: integrity.Value()} }
		if err := good().CoversHeader(); err != nil {
			t.Fatal(err)
		}
		lf := good() // as XML gives line ends
		for i := range lf.Metadates {
			lf.Metadates[i].Original = strings.ReplaceAll(lf.Metadates[i].Original, "\r\n", "\n") + "\n"
		}
		if err := lf.CoversHeader(); err != nil {
			t.Error(err)
		}
		for name, change := range map[string]func(*Acknowledgement){
			"a value":         func(a *Acknowledgement) { a.Metadates[0].Original += "x" },
			"a name":          func(a *Acknowledgement) { a.Metadates[0].Name = "Subject" },
			"one left out":    func(a *Acknowledgement) { a.Metadates = a.Metadates[1:] },
			"nothing":         func(a *Acknowledgement) { a.Metadates = nil },
			"another Hash":    func(a *Acknowledgement) { a.Hash = acknowledgement().Hash },
			"no Hash":         func(a *Acknowledgement) { a.Hash = "" },
			"two in one":      func(a *Acknowledgement) { a.Metadates[0].Original += "\r\nBcc: x" },
			"not a field":     func(a *Acknowledgement) { a.Metadates[0].Original = "hello" },
			"ends the header": func(a *Acknowledgement) { a.Metadates[0].Original = "" },
		} {
			a := good()
			change(a)
			if err := a.CoversHeader(); err == nil {
				t.Errorf("%s passes", name)
			}
		}
		if err := (&Acknowledgement{Hash: "x"}).Covers(bytes.NewReader(nil)); !errors.Is(err, ErrConfirmation) {
			t.Error(err)
		}
		if err := good().Covers(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}
	uncertified := &Acknowledgement{Metadates: Repeat(oh.Without(FieldCertificate))}
	integrity, _ := oh.First(FieldIntegrity)
	uncertified.Hash = integrity.Value()
	if err := uncertified.CoversHeader(); !errors.Is(err, ErrConfirmation) {
		t.Error(err)
	}
}
