package report

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("CET", 3600))

// parsed is a notification as others read it.
type parsed struct {
	header     netmail.Header
	text       string
	message    textproto.MIMEHeader   // fields of the message
	recipients []textproto.MIMEHeader // fields of each recipient
	original   string
}

// parse reads a notification with the standard library and checks its outer form.
func parse(t testing.TB, c Content) parsed {
	t.Helper()
	for i, line := range strings.Split(string(c), "\r\n") {
		if strings.ContainsAny(line, "\r\n") || len(line) > 998 {
			t.Fatalf("line %d: bare CR or LF, or too long: %.200q", i, line)
		}
	}
	m, err := netmail.ReadMessage(bytes.NewReader(c))
	if err != nil {
		t.Fatal(err)
	}
	p := parsed{header: m.Header}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("%s %v %v", kind, params, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text/plain", "message/delivery-status", "text/rfc822-headers"} {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); kind != want {
			t.Fatalf("part %q %v, want %s", kind, err, want)
		}
		var body io.Reader = part
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(part)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		switch want {
		case "text/plain":
			p.text = string(text)
		case "message/delivery-status":
			p.groups(t, string(text))
		default:
			p.original = string(text)
		}
	}
	if part, err := r.NextRawPart(); err != io.EOF {
		t.Fatalf("more after the last part: %v %v", part, err)
	}
	return p
}

func (p *parsed) groups(t testing.TB, text string) {
	t.Helper()
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(text + "\r\n\r\n")))
	for {
		h, err := r.ReadMIMEHeader()
		if len(h) == 0 {
			return
		}
		if err != nil {
			t.Fatalf("delivery-status: %v in\n%s", err, text)
		}
		if p.message == nil {
			p.message = h
		} else {
			p.recipients = append(p.recipients, h)
		}
	}
}

func original(t testing.TB) Original {
	return Original{
		Envelope: mail.Envelope{From: address(t, "alice@firma.example"), Received: now.Add(-time.Hour), EnvID: "QQ1 4"},
		Header:   []byte("From: Alice <alice@firma.example>\r\nSubject: Angebot\r\n"),
	}
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func to(t testing.TB, s string, a Action) Recipient {
	return Recipient{Recipient: mail.Recipient{Address: address(t, s)}, Action: a}
}

func TestFailed(t *testing.T) {
	r := to(t, "bob@partner.example", Failed)
	r.ORcpt, r.Status, r.Diagnostic, r.Remote, r.Host = "rfc822;Bob@Partner.Example", "5.1.1", "550 5.1.1 no such user", true, "mx.partner.example:25"
	r.LastTried = now
	other := to(t, "carl@partner.example", Failed)
	other.Status, other.Diagnostic = "5.6.3", "554 5.6.3 no 8-bit"
	env, c := New(nil, now, "gw.firma.example", original(t), []Recipient{r, other})
	if !env.From.IsNull() || len(env.Recipients) != 1 || env.Recipients[0].Address.String() != "alice@firma.example" || env.ID == "" || env.SMTPUTF8 {
		t.Errorf("envelope %+v", env)
	}
	if b, err := c.Open(); err != nil || c.Size() != int64(len(c)) {
		t.Error("content")
	} else if all, _ := io.ReadAll(b); !bytes.Equal(all, c) {
		t.Error("content")
	}
	p := parse(t, c)
	for name, want := range map[string]string{
		"From": "Mail Delivery System <mailer-daemon@gw.firma.example>", "To": "<alice@firma.example>", "Auto-Submitted": "auto-replied",
		"Message-Id": "<" + string(env.ID) + "@gw.firma.example>", "Date": "Wed, 02 Jan 2030 03:04:05 +0100", "Mime-Version": "1.0",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	checkFields(t, p.message, map[string]string{
		"Reporting-Mta": "dns; gw.firma.example", "Original-Envelope-Id": "QQ1 4", "Arrival-Date": "Wed, 02 Jan 2030 02:04:05 +0100",
	})
	checkFields(t, p.recipients[0], map[string]string{
		"Original-Recipient": "rfc822;Bob@Partner.Example", "Final-Recipient": "rfc822; bob@partner.example", "Action": "failed", "Status": "5.1.1",
		"Remote-Mta": "dns; mx.partner.example", "Diagnostic-Code": "smtp; 550 5.1.1 no such user", "Last-Attempt-Date": "Wed, 02 Jan 2030 03:04:05 +0100",
	})
	checkFields(t, p.recipients[1], map[string]string{"Final-Recipient": "rfc822; carl@partner.example", "Action": "failed", "Status": "5.6.3"})
	if p.original != string(original(t).Header) {
		t.Errorf("original %q", p.original)
	}
	for _, want := range []string{
		"bob@partner.example", "The address does not exist.", "Die Adresse gibt es nicht.", "550 5.1.1 no such user",
		"The server mx.partner.example answered:", "Der Server mx.partner.example antwortete:", "Einzelheiten: 554 5.6.3", "Empfängern nicht zugestellt",
	} {
		if !strings.Contains(p.text, want) {
			t.Errorf("the text lacks %q:\n%s", want, p.text)
		}
	}
}

func checkFields(t *testing.T, h textproto.MIMEHeader, want map[string]string) {
	t.Helper()
	for name, v := range want {
		if h.Get(name) != v {
			t.Errorf("%s: %q, want %q", name, h.Get(name), v)
		}
	}
	if len(h) != len(want) {
		t.Errorf("fields %v, want %v", h, want)
	}
}

func TestOtherActions(t *testing.T) {
	late := to(t, "bob@partner.example", Delayed)
	late.Status, late.RetryUntil = "5.0.0", now.Add(24*time.Hour) // no status of class 5 for what is not over
	_, c := New(nil, now, "gw.firma.example", original(t), []Recipient{late, to(t, "carl@x.example", Relayed), to(t, "dora@x.example", Delivered)})
	p := parse(t, c)
	if s := p.header.Get("Subject"); !strings.Contains(s, "delayed") || !strings.Contains(s, "unterwegs") {
		t.Errorf("subject %q", s)
	}
	for i, want := range []string{"delayed 4.0.0", "relayed 2.0.0", "delivered 2.0.0"} {
		if h := p.recipients[i]; h.Get("Action")+" "+h.Get("Status") != want {
			t.Errorf("%v, want %s", h, want)
		}
	}
	if p.recipients[0].Get("Will-Retry-Until") == "" || !strings.Contains(p.text, "It will be tried until 2030-01-03") || !strings.Contains(p.text, "bis zum") {
		t.Error("no word on how long it is tried")
	}
}

func TestWanted(t *testing.T) {
	alice := address(t, "alice@firma.example")
	for _, c := range []struct {
		from   mail.Address
		notify string
		want   string // the actions told, by their first letters
	}{
		{alice, "", "failed delayed"}, {alice, "NEVER", ""}, {alice, "SUCCESS", "delivered relayed"}, {alice, "FAILURE", "failed"},
		{alice, "DELAY", "delayed"}, {alice, "SUCCESS FAILURE DELAY", "failed delayed delivered relayed"}, {mail.Address{}, "SUCCESS FAILURE DELAY", ""},
	} {
		r := mail.Recipient{Address: alice, Notify: strings.Fields(c.notify)}
		for _, a := range []Action{Failed, Delayed, Delivered, Relayed} {
			if got, want := Wanted(c.from, r, a), strings.Contains(c.want, string(a)); got != want {
				t.Errorf("from %q, NOTIFY %q, %s: %v", c.from, c.notify, a, got)
			}
		}
	}
}

// What comes from outside neither ends a line nor leaves ASCII.
func TestInjection(t *testing.T) {
	o := original(t)
	o.Envelope.EnvID = "x\r\nBcc: evil@x.example"
	r := to(t, "bob@partner.example", Failed)
	r.ORcpt, r.Diagnostic, r.Remote, r.Host = "rfc822;a\r\nAction: delivered", "550 no\r\nStatus: 2.0.0\r\n\r\n--=_", true, "mx\r\nX: y"
	_, c := New(nil, now, "gw.firma.example", o, []Recipient{r})
	p := parse(t, c)
	if len(p.message) != 3 || len(p.recipients) != 1 || p.recipients[0].Get("Action") != "failed" || p.recipients[0].Get("Status") != "5.0.0" || p.recipients[0].Get("X") != "" {
		t.Errorf("%v %v", p.message, p.recipients)
	}
}

func TestInternational(t *testing.T) {
	o := original(t)
	o.Envelope.From = address(t, "jürgen@firma.example")
	o.Header = []byte("Subject: Grüße\r\n")
	env, c := New(nil, now, "gw.firma.example", o, []Recipient{to(t, "zoë@partner.example", Failed)})
	if !env.SMTPUTF8 || !env.Body8Bit {
		t.Error("a report to a non-ASCII address needs SMTPUTF8")
	}
	p := parse(t, c)
	if got := p.recipients[0].Get("Final-Recipient"); got != `utf-8; zo\x{EB}@partner.example` {
		t.Errorf("Final-Recipient %q", got)
	}
	if p.original != "Subject: Grüße\r\n" || !strings.Contains(p.text, "zoë@partner.example") {
		t.Errorf("original %q, text %s", p.original, p.text)
	}
	o.Envelope.From = address(t, "alice@firma.example")
	if _, c := New(nil, now, "gw.firma.example", o, []Recipient{to(t, "zoë@partner.example", Failed)}); !ascii(string(c)) {
		t.Error("the report is not 7-bit")
	}
}

func TestReadHeader(t *testing.T) {
	long := strings.Repeat("X-Long: "+strings.Repeat("x", 5000)+"\r\n", 5)
	for in, want := range map[string]string{
		"A: b\r\n\r\nbody\r\n": "A: b\r\n", "A: b\nB: c\n\nbody": "A: b\nB: c\n", "A: b": "A: b", "": "", "\r\nbody": "", long + "\r\nbody": long,
	} {
		got, err := ReadHeader(strings.NewReader(in))
		if err != nil || string(got) != want {
			t.Errorf("%.40q: %.40q %v", in, got, err)
		}
	}
	if _, err := ReadHeader(iotest.ErrReader(errors.New("disk"))); err == nil {
		t.Error("no error")
	}
}

// A header that is too long is cut after a whole field.
func TestTrimHeader(t *testing.T) {
	field := "X: " + strings.Repeat("x", 900) + "\r\n\tfolded\r\n"
	huge := []byte(strings.Repeat(field, 200))
	got := trimHeader(huge)
	if len(got) > MaxHeader || len(got) < MaxHeader-2*len(field) || len(got)%len(field) != 0 {
		t.Errorf("cut to %d bytes", len(got))
	}
	if got := trimHeader([]byte(strings.Repeat("x", 2*MaxHeader))); len(got) != 0 {
		t.Errorf("a line without end: %d bytes", len(got))
	}
	if got := trimHeader([]byte("A: b\r\n\r\nbody")); string(got) != "A: b\r\n" {
		t.Errorf("%q", got)
	}
}

// What the gateway wrote about a message for those inside does not go out with a report.
func TestOutsideHeader(t *testing.T) {
	in := "Authentication-Results: gw; spf=fail\r\n reason=\"x\"\r\nX-Siegel-Origin: doubtful;\r\n\tby=dmarc\r\nReceived: from a\r\n by b\r\n" +
		"AUTHENTICATION-RESULTS : x\r\nx-siegel-verdict: valid\r\nX-Siegelring: kept\r\nSubject: Authentication-Results: kept\r\n"
	want := "Received: from a\r\n by b\r\nX-Siegelring: kept\r\nSubject: Authentication-Results: kept\r\n"
	if got := string(outsideHeader([]byte(in))); got != want {
		t.Errorf("%q", got)
	}
}

func TestReasons(t *testing.T) {
	for status, want := range map[string]texts.ID{"5.1.1": "status-1.1", "5.1.9": "status-1", "4.4.7": "status-4.7", "5.2.2": "status-2.2", "5.9.9": texts.WhyUnknown, "": texts.WhyUnknown, "5.7.5": texts.WhyUnprotected} {
		r := Recipient{Action: Failed, Status: status}
		if s := r.reason(); len(s) != 1 || s[0].ID != want {
			t.Errorf("%s: %+v", status, s)
		}
	}
}

// What we refused ourselves is said in both languages, by the texts in force, and not twice; what an administrator writes stands in
// the subject, too.
func TestReportInWords(t *testing.T) {
	ts, err := texts.New(texts.Options{Language: texts.German, Contact: texts.Pair{EN: "Help desk 4711"}, Overrides: []texts.Override{{ID: texts.ReportFailed, Subject: texts.Pair{DE: "Zurück: nicht zugestellt"}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := to(t, "bob@partner.example", Failed)
	r.Said = []texts.Said{{ID: texts.EncryptImpossible, Values: texts.Values{Recipient: "bob@partner.example", Because: texts.BecauseFlag, Reason: texts.ReasonNone}}}
	r.Status, r.Diagnostic = "5.7.1", "550 5.7.1 "+ts.SMTP(r.Said[0].ID, r.Said[0].Values)
	_, c := New(ts, now, "gw.firma.example", original(t), []Recipient{r})
	p := parse(t, c)
	subject, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Subject"))
	if err != nil || subject != "Zurück: nicht zugestellt / Your message was not delivered" || !ascii(p.header.Get("Subject")) {
		t.Errorf("%q, %v", subject, err)
	}
	german, english, _ := strings.Cut(p.text, strings.Repeat("-", 70))
	for text, want := range map[string]string{german: "Sie muss verschlüsselt werden (von Ihnen verlangt), aber es ist kein Zertifikat", english: "it must be encrypted (as you asked), and no certificate"} {
		if !strings.Contains(text, want) || !strings.Contains(text, "Help desk 4711") || strings.Contains(text, "Einzelheiten") || strings.Contains(text, "550") {
			t.Errorf("want %q:\n%s", want, text)
		}
	}
}

// Whatever comes from outside, the report reads back with the values that are ours.
func FuzzReport(f *testing.F) {
	f.Add("rfc822;bob@x", "550 5.1.1 no", "5.1.1", "mx:25", "env", []byte("Subject: x\r\n"))
	f.Add("x;\r\ny", "550\r\n\r\n", "9", "[::1]:25", "\x00", []byte("Subject: ü\nX: \r\n\r\n--"))
	f.Add("", strings.Repeat("x ", 2000), "4.4.7", strings.Repeat("h", 2000), strings.Repeat("e", 2000), bytes.Repeat([]byte("x"), 1200))
	f.Fuzz(func(t *testing.T, orcpt, diagnostic, status, host, envid string, header []byte) {
		o := original(t)
		o.Envelope.EnvID, o.Header = envid, header
		r := to(t, "bob@partner.example", Failed)
		r.ORcpt, r.Diagnostic, r.Status, r.Host, r.Remote = orcpt, diagnostic, status, host, true
		_, c := New(nil, now, "gw.firma.example", o, []Recipient{r, to(t, "carl@x.example", Delayed)})
		if !ascii(string(c)) {
			t.Fatal("not 7-bit")
		}
		p := parse(t, c)
		if len(p.recipients) != 2 || len(p.message) > 3 || len(p.recipients[0]) > 6 || len(p.header) != 8 {
			t.Fatalf("fields %v\n%v\n%v", p.header, p.message, p.recipients)
		}
		if h := p.recipients[0]; h.Get("Action") != "failed" || !wellFormed(h.Get("Status")) || h.Get("Final-Recipient") != "rfc822; bob@partner.example" {
			t.Fatalf("%v", h)
		}
		if h := p.recipients[1]; h.Get("Action") != "delayed" || h.Get("Status") != "4.0.0" {
			t.Fatalf("%v", h)
		}
		if trimmed := outsideHeader(trimHeader(header)); plainLines(trimmed) && p.original != string(trimmed) {
			t.Fatalf("original %q, want %q", p.original, header)
		}
	})
}
