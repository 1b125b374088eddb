package demail

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func address(t testing.TB, s string) Address {
	t.Helper()
	a, err := ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseMetadata(t *testing.T) {
	h, _ := message(t, load(t, "integrity", "sha256-rsa-rsa.eml"))
	m, err := ParseMetadata(h)
	if err != nil {
		t.Fatal(err)
	}
	erika, max := address(t, "erika.mustermann@dmda-a.de-mail.de"), address(t, "max.muster.2@dmda-b.de-mail.de")
	post, amt := address(t, "poststelle@stadt.de-mail.de"), address(t, "buergeramt@stadt.de-mail.de")
	want := &Metadata{
		Options: Options{Dispatch: true, Receipt: true},
		Type:    TypeNormal, Sender: erika,
		Chosen:    Recipients{To: []Mailbox{{"Poststelle, Rathaus", post}, {"", amt}}, Cc: []Mailbox{{"", max}}},
		Actual:    Recipients{To: []Mailbox{{"", post}, {"", amt}}, Cc: []Mailbox{{"", max}}},
		Subject:   "Widerspruch gegen den Gebührenbescheid vom 1. November 2026",
		PrivateID: "8c1f-4711  siegel", ReplyTo: []Mailbox{{"", erika}}, Level: LevelHigh, Mechanism: "Zertifikat auf Chipkarte",
		DeMailID: "20261126100000.4711@pvd1.dmda-a.example", Provider: "pvd1.dmda-a.example", Version: "1.8", AccountHolder: "Erika Mustermann",
		From: []Mailbox{{"Erika Mustermann", erika}}, MessageID: "<1@firma.example>", Certificate: cert(t, "rsa").Raw,
	}
	if !m.Date.Equal(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)) || !strings.HasPrefix(m.Integrity, "a=sha256/rsa;") {
		t.Error(m.Date, m.Integrity)
	}
	m.Date, m.Integrity, m.present = time.Time{}, "", nil
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

// header makes one of lines.
func header(t testing.TB, lines ...string) Header {
	t.Helper()
	h, _, err := read(strings.Join(lines, "\r\n") + "\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParseMetadataRefuses(t *testing.T) {
	for _, line := range []string{
		"X-de-mail-confirmation-of-dispatch: Yes", // the case matters: 3.4, 3.1.2
		"X-de-mail-confirmation-of-receipt: true",
		"X-de-mail-confirmation-of-retrieve:",
		"X-de-mail-authoritative: yes no",
		"X-de-mail-private: 1",
		"X-de-mail-sender: Erika <erika@x.de-mail.de>", // addr-spec, not name-addr
		"X-de-mail-sender: a@x.de-mail.de, b@x.de-mail.de",
		"X-de-mail-chosen-recipient: a@x.de-mail.de",
		"X-de-mail-chosen-recipient: to=a@x.de-mail.de; to=b@x.de-mail.de",
		"X-de-mail-chosen-recipient: to=",
		"X-de-mail-actual-recipient: from=a@x.de-mail.de",
		"X-de-mail-private-id: " + strings.Repeat("x", MaxPrivateID+1),
		"X-de-mail-private-id: a\x01b",
		"Reply-To: somebody",
		"Reply-To: a@x.de-mail.de; b@x.de-mail.de",
		"X-de-mail-auth-level: High",
		"X-de-mail-auth-level: hoch",
		"X-de-mail-auth-mechanism: " + strings.Repeat("x", 20000),
		"Date: yesterday",
		"X-de-mail-message-id: " + strings.Repeat("x", 5000),
		"X-de-mail-originator-provider: not a name",
		"X-de-mail-message-type: Normal",
		"X-de-mail-message-type: confirmation",
		"X-de-mail-signature-certificate: MIIx!",
		"X-de-mail-signature-certificate:",
		"X-de-mail-version: one",
		"X-de-mail-version: 1.8.1",
		"X-de-mail-notification-type: unknown",
		"From: erika@[127.0.0.1]",
		"Resent-To: x",
		"Resent-Date: x",
	} {
		_, err := ParseMetadata(header(t, line))
		var fe *FieldError
		if !errors.As(err, &fe) || !strings.EqualFold(fe.Field, line[:strings.Index(line, ":")]) {
			t.Errorf("%.60s: %v", line, err)
		}
	}
}

func TestMetadataDefaults(t *testing.T) {
	m, err := ParseMetadata(header(t, "X-Something: else", "To: x"))
	if err != nil || m.Dispatch || m.Receipt || m.Retrieve || m.Authoritative || m.Private { // 3.4, 3.1.2 to 3.1.6
		t.Errorf("%+v, %v", m, err)
	}
	if len(m.Violations) != 1 || m.Violations[0].Field != FieldMessageType {
		t.Error(m.Violations)
	}
}

func TestMetadataRepeatedAndUnknown(t *testing.T) {
	m, err := ParseMetadata(header(t,
		"X-de-mail-private: yes", "X-DE-MAIL-PRIVATE: no", "x-de-mail-private: garbage", "Subject: one", "Subject: two",
		"X-de-mail-colour: blue", "X-de-mail-colour: red", "To: a", "To: b"))
	if err != nil || !m.Private || m.Subject != "one" {
		t.Fatalf("the topmost counts (3.4, 3.1.1): %+v, %v", m, err)
	}
	if len(m.Unknown) != 1 || m.Unknown[0].Value() != "blue" {
		t.Errorf("%q", m.Unknown)
	}
	if !slices.Equal(m.Repeated, []string{"X-DE-MAIL-PRIVATE", "x-de-mail-private", "Subject", "X-de-mail-colour"}) {
		t.Errorf("%q", m.Repeated)
	}
}

func TestViolations(t *testing.T) {
	normal, _ := message(t, load(t, "integrity", "sha256-rsa-rsa.eml"))
	for name, c := range map[string]struct {
		change func(Header) Header
		field  string // empty: none
	}{
		"none":         {func(h Header) Header { return h }, ""},
		"no sender":    {func(h Header) Header { return h.Without(FieldSender) }, FieldSender},
		"no option":    {func(h Header) Header { return h.Without(FieldPrivate) }, FieldPrivate},
		"no integrity": {func(h Header) Header { return h.Without(FieldIntegrity) }, FieldIntegrity},
		"no holder":    {func(h Header) Header { return h.Without(FieldAccountHolder) }, FieldAccountHolder},
		"no holder, in version 1.0": {func(h Header) Header {
			return h.Without(FieldAccountHolder, FieldVersion).With(field(t, FieldVersion, "1.0"))
		}, ""},
		"no private id":   {func(h Header) Header { return h.Without(FieldPrivateID) }, ""},
		"about something": {func(h Header) Header { return h.With(field(t, FieldNotificationType, "other")) }, FieldNotificationType},
		"another From": {func(h Header) Header {
			return h.Without(FieldFrom).With(field(t, FieldFrom, "chef@dmda-a.de-mail.de"))
		}, FieldFrom},
		"private at level normal": {func(h Header) Header {
			return h.Without(FieldAuthLevel, FieldPrivate).With(field(t, FieldAuthLevel, "normal"), field(t, FieldPrivate, "yes"))
		}, FieldSender},
		"authoritative and not signed": {func(h Header) Header {
			return h.Without(FieldCertificate, FieldAuthoritative).With(field(t, FieldAuthoritative, "yes"))
		}, FieldCertificate},
		"an option in a confirmation": {func(h Header) Header {
			return h.Without(FieldMessageType, FieldReceipt, FieldRetrieve, FieldAuthoritative, FieldAccountHolder).With(field(t, FieldMessageType, string(TypeReceipt)))
		}, FieldDispatch},
		"a notification about nothing": {func(h Header) Header {
			return h.Without(FieldMessageType, FieldDispatch, FieldReceipt, FieldRetrieve, FieldAuthoritative, FieldAccountHolder).With(field(t, FieldMessageType, "notification"))
		}, FieldNotificationType},
		"an ident message with a private id": {func(h Header) Header {
			return h.Without(FieldMessageType, FieldDispatch, FieldReceipt, FieldRetrieve, FieldAuthoritative, FieldAccountHolder).With(field(t, FieldMessageType, "identification"))
		}, FieldPrivateID},
	} {
		m, err := ParseMetadata(c.change(normal))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := min(1, len(c.field)); len(m.Violations) != want || want > 0 && m.Violations[0].Field != c.field {
			t.Errorf("%s: %v", name, m.Violations)
		}
		for _, v := range m.Violations {
			if !strings.HasPrefix(v.String(), v.Field+": ") || v.Rule == "" {
				t.Errorf("%s: %q", name, v)
			}
		}
	}
}

func TestParseRecipients(t *testing.T) {
	a, b, c := address(t, "a@x.de-mail.de"), address(t, "b@x.de-mail.de"), address(t, "c@x.de-mail.de")
	for in, want := range map[string]Recipients{
		"to=a@x.de-mail.de":                                  {To: []Mailbox{{"", a}}},
		" TO = A@X.de-mail.de ;\tbcc=b@x.de-mail.de":         {To: []Mailbox{{"", a}}, Bcc: []Mailbox{{"", b}}},
		"to=a@x.de-mail.de,b@x.de-mail.de":                   {To: []Mailbox{{"", a}, {"", b}}},
		"to=a@x.de-mail.de;b@x.de-mail.de;cc=c@x.de-mail.de": {To: []Mailbox{{"", a}, {"", b}}, Cc: []Mailbox{{"", c}}}, // footnote 5
		`cc="x; to=y, \"z\" <q@r>" <a@x.de-mail.de>`:         {Cc: []Mailbox{{`x; to=y, "z" <q@r>`, a}}},
		"cc=Erika Muster <a@x.de-mail.de>":                   {Cc: []Mailbox{{"Erika Muster", a}}},
		"bcc==?utf-8?Q?M=C3=BCller?= <a@x.de-mail.de>":       {Bcc: []Mailbox{{"Müller", a}}},
		"to=< a@x.de-mail.de >":                              {To: []Mailbox{{"", a}}},
		"to=cc=a@x.de-mail.de":                               {To: []Mailbox{{"", address(t, "cc=a@x.de-mail.de")}}},
	} {
		got, err := ParseRecipients(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
		if again, err := ParseRecipients(got.String()); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: %v, %v", got, again, err)
		}
	}
	many := "to=" + strings.Repeat("a@x.de-mail.de,", MaxRecipients) + "a@x.de-mail.de"
	for _, in := range []string{
		"", "to", "to=", "to=;cc=a@x.de-mail.de", "a@x.de-mail.de", "x=a@x.de-mail.de", "to=a@x.de-mail.de;;", "to=a@x.de-mail.de,",
		"to=a@x.de-mail.de;TO=b@x.de-mail.de", "to=a@x.de-mail.de, cc=b@x.de-mail.de, ,", `to="a@x.de-mail.de`, `to="a\`, "to=<a@x.de-mail.de",
		"to=a@x.de-mail.de>", "to=<<a@x.de-mail.de>>", "to=<a@x.de-mail.de> x", `to="x" y <a@x.de-mail.de>`, "to=x\x01 <a@x.de-mail.de>", "to=group: a@x.de-mail.de", many,
	} {
		if got, err := ParseRecipients(in); err == nil {
			t.Errorf("%.60q: %+v", in, got)
		}
	}
	if _, err := ParseRecipients(many); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	all := Recipients{To: []Mailbox{{"", a}}, Cc: []Mailbox{{"", b}}, Bcc: []Mailbox{{"", c}}}.All()
	if len(all) != 3 || all[2].Address != c {
		t.Error(all)
	}
}

// names are what stands before addresses: anything that a person may be called.
func names() *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[ -~]{0,20}`), rapid.StringMatching(`[\p{L} ,;<>"\\=?]{0,30}`))
}

func lists(t *rapid.T, label string) []Mailbox {
	var list []Mailbox
	for range rapid.IntRange(0, 3).Draw(t, label) {
		a, err := ParseAddress(rapid.StringMatching(`[a-z0-9_=+-]{1,12}(\.[a-z]{1,8})?@([a-z_]{1,8}\.){0,3}de-mail\.de`).Draw(t, "address"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Mailbox{strings.TrimSpace(names().Draw(t, "name")), a})
	}
	return list
}

// What is written reads back as it was.
func TestMetadataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := func(label string) bool { return rapid.Bool().Draw(t, label) }
		word := func(label string) string {
			return rapid.StringMatching(`[!-~]{1,20}( {1,2}[!-~]{1,20}){0,5}`).Draw(t, label)
		}
		m := &Metadata{
			Options: Options{b("dispatch"), b("receipt"), b("retrieve"), b("authoritative"), b("private")},
			Type:    rapid.SampledFrom([]MessageType{TypeNormal, TypeReceipt, TypeNotification, TypeIdentification}).Draw(t, "type"),
			Chosen:  Recipients{lists(t, "to"), lists(t, "cc"), lists(t, "bcc")}, Actual: Recipients{To: lists(t, "actual")},
			Subject: names().Draw(t, "subject"), PrivateID: word("private-id"), ReplyTo: lists(t, "reply-to"), Level: LevelHigh, Mechanism: word("mechanism"),
			Date: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "date"), 0).UTC(), DeMailID: word("id"), Provider: "pvd.x.example",
			Resent: Resent{To: lists(t, "resent"), MessageID: word("resent id")}, EnvelopeTo: word("envelope"), Version: "1.8", AccountHolder: names().Draw(t, "holder"),
			From: lists(t, "from"), MessageID: word("message-id"), NotificationType: NotifyOther,
		}
		fields, err := m.Fields()
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := read(string(NewHeader(fields...).Bytes()) + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMetadata(h)
		if err != nil {
			t.Fatalf("%v\n%s", err, h.Bytes())
		}
		got.Date = got.Date.UTC()
		got.Violations, got.present = nil, nil
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got  %+v\nwant %+v\n%s", got, m, h.Bytes())
		}
	})
}

func TestMetadataFields(t *testing.T) {
	m := &Metadata{Type: TypeNormal, PrivateID: "a\r\nBcc: x@y.z"}
	if f, err := m.Fields(); !errors.Is(err, ErrField) {
		t.Errorf("%q, %v", f, err)
	}
	m = &Metadata{Type: TypeNormal, Options: Options{Receipt: true}, Unknown: []Field{field(t, "x-de-mail-new", "1")}}
	fields, err := m.Fields()
	if err != nil {
		t.Fatal(err)
	}
	const want = "x-de-mail-confirmation-of-dispatch: no\r\nx-de-mail-confirmation-of-receipt: yes\r\nx-de-mail-confirmation-of-retrieve: no\r\n" +
		"x-de-mail-authoritative: no\r\nx-de-mail-private: no\r\nx-de-mail-message-type: normal\r\nx-de-mail-new: 1\r\n"
	if got := string(NewHeader(fields...).Bytes()); got != want {
		t.Errorf("%s", got)
	}
}

func TestOptions(t *testing.T) {
	erika, pn := address(t, "erika.m@x.de-mail.de"), address(t, "pn_sonne@x.de-mail.de")
	for _, c := range []struct {
		o      Options
		sender Address
		level  Level
		ok     bool
	}{
		{Options{}, pn, LevelNormal, true},
		{Options{Dispatch: true, Receipt: true}, erika, LevelNormal, true},
		{Options{Private: true}, erika, LevelNormal, false},
		{Options{Private: true}, erika, LevelHigh, true},
		{Options{Private: true}, erika, "", false},
		{Options{Authoritative: true}, erika, LevelHigh, true},
		{Options{Authoritative: true}, erika, LevelNormal, false},
		{Options{Authoritative: true}, pn, LevelHigh, false},
		{Options{Private: true}, pn, LevelHigh, true},
		{Options{Retrieve: true}, erika, LevelHigh, false},
		{Options{Retrieve: true, Private: true}, erika, LevelHigh, true},
		{Options{Retrieve: true, Private: true}, erika, LevelNormal, false},
	} {
		if err := c.o.Check(c.sender, c.level); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	fields, err := Options{Dispatch: true, Private: true}.Fields("id 1")
	if err != nil {
		t.Fatal(err)
	}
	const want = "x-de-mail-confirmation-of-dispatch: yes\r\nx-de-mail-confirmation-of-receipt: no\r\nx-de-mail-confirmation-of-retrieve: no\r\n" +
		"x-de-mail-authoritative: no\r\nx-de-mail-private: yes\r\nx-de-mail-private-id: id 1\r\n"
	if got := string(NewHeader(fields...).Bytes()); got != want {
		t.Errorf("%s", got)
	}
	if _, err := (Options{}).Fields(strings.Repeat("x", 1025)); !errors.Is(err, ErrField) {
		t.Error(err)
	}
}
