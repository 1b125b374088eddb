package dmdaweb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

func TestParseFault(t *testing.T) {
	for s, want := range map[string]Fault{
		"lost": {Kind: Lost}, "lost@submit*1": {Kind: Lost, Operation: webservice.OpSubmit, Times: 1},
		"slow=5s": {Kind: Slow, Delay: 5 * time.Second}, "slow=2m0s@fetch*3": {Slow, webservice.OpFetch, 3, 2 * time.Minute}, "keep@acknowledge": {Kind: Keep, Operation: webservice.OpAcknowledge},
	} {
		got, err := ParseFault(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: %+v, %q, %v", s, got, got, err)
		}
	}
	for _, s := range []string{"", "x", "lost@", "lost@x", "lost*", "lost*0", "lost*-1", "lost=5s", "slow", "slow=", "slow=-1s", "slow=2h", "slow=x", "keep@submit", "lost*1@submit"} {
		if f, err := ParseFault(s); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: %+v, %v", s, f, err)
		}
	}
	for _, k := range Kinds() {
		s := string(k)
		if k == Slow {
			s += "=1s"
		}
		if _, err := ParseFault(s); err != nil {
			t.Error(err)
		}
	}
}

// What each fault is to who sends, and whether the message was taken.
func TestFaults(t *testing.T) {
	want := map[Kind]struct {
		outcome connectors.Outcome
		taken   bool
	}{
		Down: {connectors.Later, false}, Unavailable: {connectors.Later, false}, Lost: {connectors.Doubtful, true}, Garbage: {connectors.Doubtful, true}, Page: {connectors.Doubtful, true},
		Login: {connectors.Mend, false}, Rejected: {connectors.Never, false}, NotEntitled: {connectors.Never, false}, DailyLimit: {connectors.Later, false},
		TooLarge: {connectors.Never, false}, UnknownAt: {connectors.Never, false}, ClosedAt: {connectors.Never, false}, Expired: {connectors.Mend, false},
		UnknownNotice: {connectors.Taken, true}, ClosedNotice: {connectors.Taken, true}, MailboxFull: {connectors.Taken, true}, Malware: {connectors.Taken, true}, MalwareThere: {connectors.Taken, true},
		Cut: {connectors.Taken, true}, Keep: {connectors.Taken, true}, // not about submissions
	}
	for kind, w := range want {
		d := newDesk(t, profile(t, "t-systems"))
		d.handler.SetFaults(Fault{Kind: kind})
		p := d.client()
		_, err := p.Submit(t.Context(), message(t, "k", "post@firma.de-mail.de", demail.Options{}, "amt@stadt.de-mail.de"))
		if connectors.OutcomeOf(err) != w.outcome {
			t.Errorf("%s: %v", kind, err)
		}
		if e, ok := errors.AsType[*connectors.Error](err); (kind == UnknownAt || kind == ClosedAt) && (!ok || len(e.Addresses) != 1 || e.Addresses[0] != address(t, "amt@stadt.de-mail.de")) {
			t.Errorf("%s does not say whom it is about: %v", kind, err)
		}
		d.handler.SetFaults()
		if told := fates(t, p); told != notices[kind] {
			t.Errorf("%s: the sender is told %q", kind, told)
		}
		if _, err := p.Find(t.Context(), "k"); (err == nil) != w.taken {
			t.Errorf("%s: taken: %v", kind, err)
		}
	}
}

// notices are what the sender of a message is told by notification.
var notices = map[Kind]string{
	UnknownNotice: "notification unknown-recipient", ClosedNotice: "notification closed-account", MailboxFull: "notification other", Malware: "malware-notification other", MalwareThere: "malware-notification other",
}

// fates fetches what came, and names it.
func fates(t *testing.T, p connectors.Provider) string {
	var said []string
	err := p.Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
		text, err := io.ReadAll(in.Content)
		if err != nil {
			return err
		}
		h, err := head(held(text))
		if err != nil {
			return err
		}
		m, err := demail.ParseMetadata(h)
		if err == nil {
			said = append(said, string(m.Type)+" "+string(m.NotificationType))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return strings.Join(said, ", ")
}

// A fault strikes as often as it says, and the operation that it names.
func TestTimes(t *testing.T) {
	d := newDesk(t, profile(t, "mentana"))
	p := d.client()
	d.handler.SetFaults(Fault{Kind: Unavailable, Operation: webservice.OpDomains, Times: 2}, Fault{Kind: Rejected, Times: 1})
	for i, want := range []bool{false, false, true} {
		if _, err := p.Find(t.Context(), "k"); connectors.Class(err) != connectors.ErrNotFound {
			t.Error(err)
		}
		if _, err := p.Domains(t.Context()); (err == nil) != want {
			t.Error(i, err)
		}
	}
	if left := d.handler.Faults(); len(left) != 1 || left[0].Kind != Rejected {
		t.Error(left)
	}
}

// Slow waits, and no longer than its client or its server.
func TestSlow(t *testing.T) {
	d := newDesk(t, profile(t, "t-systems"))
	d.handler.SetFaults(Fault{Kind: Slow, Delay: time.Millisecond})
	if _, err := d.client().Domains(t.Context()); err != nil || d.last().Fault != Slow {
		t.Error(err)
	}
	d.handler.SetFaults(Fault{Kind: Slow, Delay: time.Hour})
	done := make(chan error)
	go func() { _, err := d.client().Domains(t.Context()); done <- err }()
	d.handler.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The connection ends in the midst of a message that comes: it was not taken, and its sender may send it again.
func TestDropUpload(t *testing.T) {
	for _, name := range shipped {
		d := newDesk(t, profile(t, name))
		d.handler.SetFaults(Fault{Kind: DropUpload, Operation: webservice.OpSubmit, Times: 1})
		m := message(t, "k", "post@firma.de-mail.de", demail.Options{}, "amt@stadt.de-mail.de")
		m.Content = held(append([]byte(m.Content.(held)), []byte(strings.Repeat("Noch eine Zeile.\r\n", 1<<20))...))
		p := d.client()
		if _, err := p.Submit(t.Context(), m); connectors.Class(err) != connectors.ErrUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Find(t.Context(), "k"); connectors.Class(err) != connectors.ErrNotFound {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Submit(t.Context(), m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no request gets words, which say that all is simulated.
func TestForeign(t *testing.T) {
	d := newDesk(t, profile(t, "t-systems"))
	for _, c := range []struct {
		method, kind, body string
		status             int
	}{
		{http.MethodGet, "", "", http.StatusMethodNotAllowed},
		{http.MethodPost, "text/html", "x", http.StatusBadRequest},
		{http.MethodPost, "application/soap+xml", "<x/>", http.StatusBadRequest},
		{http.MethodPost, "application/soap+xml", `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><x/></s:Body></s:Envelope>`, http.StatusBadRequest},
	} {
		r, err := http.NewRequestWithContext(context.Background(), c.method, d.web.URL+"/demail/gateway/v1", strings.NewReader(c.body))
		d.check(err)
		r.Header.Set("Content-Type", c.kind)
		response, err := d.http(d.firma).Do(r)
		d.check(err)
		text, err := io.ReadAll(response.Body)
		d.check(err)
		response.Body.Close()
		if response.StatusCode != c.status || !strings.HasPrefix(string(text), "SIMULATED") {
			t.Errorf("%+v: %d %q", c, response.StatusCode, text)
		}
	}
}
