package addin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// A question goes to the gateway as the message would, and its answer comes back.
func TestExplain(t *testing.T) {
	s := newStand(t, nil)
	s.oracle.answer = explain.Answer{Recipients: []explain.Recipient{
		{To: "bob@partner.example", Direction: "outgoing", Way: explain.SMTP, Sign: explain.Yes, Encrypt: explain.Yes, TLS: "verified", Certificate: "CN=Bob, number 17, of Partner CA",
			Keys: []policy.Source{{Key: "encrypt", Value: "require", By: "rule merger with Partner", Where: "/etc/siegel/siegel.yaml:17", Over: []policy.Source{{Key: "encrypt", By: "company"}}}}},
		{To: "carol@firma.example", Way: explain.Internal, Sign: explain.No, Encrypt: explain.No},
	}}
	body, err := json.Marshal(addin.Question{
		From: "Alice@firma.example", To: []string{"bob@partner.example", " BOB@partner.example "}, Cc: []string{"carol@firma.example"}, Bcc: []string{"bob@Partner.Example"},
		Subject: "[sign] Grüße", Size: 4711, Flags: addin.Flags{Sign: true, Encrypt: true, Plain: true, TLS: true, DeMail: []string{"sent", "personal"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := answerOf(t, s.ask(outside, s.entra(t, nil), string(body)))
	want := addin.Answer{Recipients: []addin.Recipient{
		{To: "bob@partner.example", Way: "smtp", Sign: true, Encrypt: true, TLS: "verified", Keys: []addin.Key{{Key: "encrypt", Value: "require", By: "rule"}}, Text: addin.Text{
			De: "Die Nachricht wird signiert und verschlüsselt. Sie geht nur über Verbindungen, deren Gegenstelle sich ausweist.",
			En: "The message will be signed and encrypted. It goes only over connections to servers that prove who they are."}},
		{To: "carol@firma.example", Way: "internal", Keys: []addin.Key{}, Text: addin.Text{De: "Der Empfänger ist im Unternehmen.", En: "The recipient is in the company."}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	asked := s.oracle.questions()
	if len(asked) != 1 || !reflect.DeepEqual(asked[0], explain.Question{
		From: "Alice@firma.example", To: []string{"bob@partner.example"}, Cc: []string{"carol@firma.example"}, Subject: "[sign] Grüße", Size: 4711,
		Header: []string{"X-Siegel-Sign: yes", "X-Siegel-Encrypt: yes", "X-Siegel-Plain: yes", "X-Siegel-TLS: verified", "X-Siegel-DeMail: dispatch, private"},
	}) {
		t.Errorf("the gateway was asked %+v", asked)
	}
}

// What is told of each way to end.
func TestSentences(t *testing.T) {
	for name, c := range map[string]struct {
		r        explain.Recipient
		refused  bool // another is
		de, en   string
		way      string
		asks     bool
		holds    bool
		refusing bool
	}{
		"plain":     {r: explain.Recipient{Way: explain.SMTP}, de: "weder signiert noch", en: "neither signed nor", way: "smtp"},
		"signed":    {r: explain.Recipient{Way: explain.SMTP, Sign: "yes"}, de: "signiert, nicht", en: "signed, not encrypted", way: "smtp"},
		"encrypted": {r: explain.Recipient{Way: explain.SMTP, Encrypt: "yes", TLS: "required"}, de: "verschlüsselt. Sie geht nur über verschlüsselte", en: "encrypted. It goes only over encrypted", way: "smtp"},
		"De-Mail":   {r: explain.Recipient{Way: explain.DeMail}, de: "Sie geht als De-Mail.", en: "It goes as De-Mail.", way: "de-mail"},
		"asks":      {r: explain.Recipient{Way: explain.SMTP, Asks: true, Holds: "no certificate"}, de: "bis dahin wartet", en: "waits until then", way: "smtp", asks: true, holds: true},
		"holds":     {r: explain.Recipient{Way: explain.SMTP, Holds: "the card board is away"}, de: "wartet, bis", en: "waits until", way: "smtp", holds: true},
		"refused":   {r: explain.Recipient{Way: explain.SMTP, Refused: "it must be encrypted"}, refused: true, de: "zurückkommen: it must be encrypted", en: "would come back: it must be encrypted", refusing: true},
		"in both":   {r: explain.Recipient{Way: explain.SMTP, Refused: "Sie muss verschluesselt werden", Said: texts.Pair{DE: "Sie muss verschlüsselt werden", EN: "it must be encrypted"}}, refused: true, de: "zurückkommen: Sie muss verschlüsselt werden", en: "would come back: it must be encrypted", refusing: true},
		"other":     {r: explain.Recipient{Way: explain.SMTP, Sign: "yes"}, refused: true, de: "an niemanden gesendet", en: "sent to nobody", way: "smtp"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, nil)
			s.oracle.answer.Recipients = []explain.Recipient{c.r}
			if c.refused {
				s.oracle.answer.Refused = "refused"
				s.oracle.answer.Recipients = append(s.oracle.answer.Recipients, explain.Recipient{To: "x@y.example", Refused: "it cannot be"})
			}
			got := answerOf(t, s.ask(outside, s.entra(t, nil), question("alice@firma.example", "bob@partner.example"))).Recipients[0]
			if !strings.Contains(got.Text.De, c.de) || !strings.Contains(got.Text.En, c.en) {
				t.Errorf("%+v", got.Text)
			}
			if got.Way != c.way || got.Asks != c.asks || got.Holds != c.holds || got.Refused != c.refusing {
				t.Errorf("%+v", got)
			}
			if strings.Contains(fmt.Sprint(got), "board") {
				t.Error("the answer tells of our keys")
			}
		})
	}
}

// What is wrong with the message, or its sender, is wrong for all of its recipients.
func TestAllRefused(t *testing.T) {
	s := newStand(t, nil)
	s.oracle.answer = explain.Answer{Refused: "550 5.7.1 this sender may not be used here", Recipients: []explain.Recipient{{To: "a@b.example", Way: explain.SMTP}, {To: "c@d.example", Way: explain.SMTP}}}
	for _, r := range answerOf(t, s.ask(outside, s.entra(t, nil), question("alice@firma.example", "a@b.example", "c@d.example"))).Recipients {
		if !r.Refused || r.Way != "" || !strings.Contains(r.Text.En, "this sender may not be used here") {
			t.Errorf("%+v", r)
		}
	}
}

// Who may ask, and for whom.
func TestWhoMayAsk(t *testing.T) {
	s := newStand(t, nil)
	entra, exchange := func() string { return s.entra(t, nil) }, func() string { return s.exchange(t, nil) }
	none, bad := func() string { return "" }, func() string { return s.entra(t, nil) + "x" }
	for name, c := range map[string]struct {
		from   string
		bearer func() string
		author string
		status int
	}{
		"a user of Entra":                   {outside, entra, "alice@firma.example", 200},
		"in upper case":                     {outside, entra, "ALICE@Firma.Example", 200},
		"as somebody else":                  {outside, entra, "bob@firma.example", 403},
		"as nobody":                         {outside, entra, "", 400},
		"as two":                            {outside, entra, "alice@firma.example, bob@firma.example", 400},
		"with a name":                       {outside, entra, "Alice <alice@firma.example>", 400},
		"a user of Exchange":                {outside, exchange, "bob@firma.example", 200},
		"a user of Exchange, another name":  {outside, exchange, "info@firma.example", 200},
		"a user of Exchange, somebody else": {outside, exchange, "alice@firma.example", 403},
		"inside, without a token":           {inside, none, "anybody@firma.example", 200},
		"inside, mapped into IPv6":          {"[::ffff:10.1.2.3]:1", none, "anybody@firma.example", 200},
		"inside, for somebody outside":      {inside, none, "bob@partner.example", 403},
		"inside, as somebody else":          {inside, entra, "bob@firma.example", 403}, // the token counts, and not the place
		"inside, with a bad token":          {inside, bad, "alice@firma.example", 401},
		"outside, without a token":          {outside, none, "alice@firma.example", 401},
		"a neighbour":                       {"10.2.0.1:1", none, "alice@firma.example", 401},
		"a place that is none":              {"pipe", none, "alice@firma.example", 401},
	} {
		s.pass(time.Hour) // so that no limit is met
		if r := s.ask(c.from, c.bearer(), question(c.author, "x@partner.example")); r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, c.status)
		}
	}
	for name, claims := range map[string]tokentest.Claims{
		"without a name": {"upn": nil}, "by a name that may be changed": {"upn": nil, "preferred_username": "bob@firma.example", "email": "bob@firma.example"}, "by a name that is not ours": {"upn": "bob@firma.onmicrosoft.com"},
	} {
		for _, author := range []string{"alice@firma.example", "bob@firma.example", "bob@firma.onmicrosoft.com"} {
			if p := problemOf(t, s.ask(outside, s.entra(t, claims), question(author, "x@partner.example")), 403); p.Code != addin.CodeForbidden {
				t.Errorf("%s, as %s: %+v", name, author, p)
			}
		}
	}
}

// Nobody learns anything who is not known: whatever is asked, and by whatever token, the answer is the same, and the gateway is not asked.
func TestStrangersLearnNothing(t *testing.T) {
	s := newStand(t, nil)
	var first string
	for _, body := range []string{question("alice@firma.example", "bob@partner.example"), question("nobody@firma.example", "x@y.example"), "{", "", strings.Repeat("x", 1<<20), `{"from":1}`} {
		for name, header := range map[string][]string{
			"nothing": nil, "a bad token": {"Authorization", "Bearer x"}, "a token of another": {"Authorization", "Bearer " + s.entra(t, tokentest.Claims{"aud": "x"})},
			"an old token": {"Authorization", "Bearer " + s.entra(t, tokentest.Claims{"exp": 1})}, "a password": {"Authorization", "Basic YTpi"}, "an empty token": {"Authorization", "Bearer"},
			"a lie about the place": {"X-Forwarded-For", "10.1.2.3"}, "another lie": {"Forwarded", "for=10.1.2.3"}, "a third": {"X-Real-IP", "10.1.2.3"},
			"another type": {"Content-Type", "text/plain"}, "a cookie": {"Cookie", "session=x"},
		} {
			r := s.ask(outside, "", body, header...)
			got, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprint(r.StatusCode, r.Header, string(got)); first == "" {
				first = all
			} else if all != first {
				t.Errorf("%s: %s\nand not %s", name, all, first)
			}
			if r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %d", name, r.StatusCode)
			}
		}
	}
	two := request(http.MethodPost, addin.ExplainPath, outside, question("alice@firma.example", "x@y.example"))
	two.Header["Authorization"] = []string{"Bearer " + s.entra(t, nil), "Bearer " + s.entra(t, nil)}
	if r := s.do(two); r.StatusCode != 401 {
		t.Errorf("two tokens: %d", r.StatusCode)
	}
	if n := len(s.oracle.questions()); n > 0 {
		t.Errorf("the gateway was asked %d times", n)
	}
}

// From a page of somebody else, that a user inside has open, nothing can be asked.
func TestOtherPages(t *testing.T) {
	s := newStand(t, nil)
	body := question("alice@firma.example", "bob@partner.example")
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"our page":                {[]string{"Origin", origin, "Sec-Fetch-Site", "same-origin"}, 200},
		"no page":                 {nil, 200},
		"another page":            {[]string{"Origin", "https://evil.example"}, 401},
		"a page of nowhere":       {[]string{"Origin", "null"}, 401},
		"a page of our host":      {[]string{"Origin", "https://siegel.firma.example"}, 401},
		"a page of another site":  {[]string{"Sec-Fetch-Site", "cross-site"}, 401},
		"a page of our site":      {[]string{"Sec-Fetch-Site", "same-site"}, 401},
		"by a proxy":              {[]string{"Via", "1.1 proxy.firma.example"}, 401},
		"for somebody else":       {[]string{"X-Forwarded-For", "198.51.100.7"}, 401},
		"for somebody, RFC 7239":  {[]string{"Forwarded", "for=198.51.100.7"}, 401},
		"for somebody by nginx":   {[]string{"X-Real-IP", "198.51.100.7"}, 401},
		"a form":                  {[]string{"Content-Type", "text/plain"}, 415},
		"a form of another kind":  {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"no type":                 {[]string{"Content-Type", ""}, 415},
		"another set of letters":  {[]string{"Content-Type", "application/json; charset=utf-16"}, 415},
		"the same set of letters": {[]string{"Content-Type", "application/json; charset=UTF-8"}, 200},
		"compressed":              {[]string{"Content-Encoding", "gzip"}, 415},
	} {
		s.pass(time.Minute)
		if r := s.ask(inside, "", body, c.header...); r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, c.status)
		}
	}
	for _, path := range []string{addin.ExplainPath, addin.SettingsPath, "/outlook/read.html"} {
		r := s.do(request(http.MethodOptions, path, inside, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"))
		if r.StatusCode != 405 || r.Header.Get("Allow") == "" {
			t.Errorf("a preflight for %s: %d", path, r.StatusCode)
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s has %s", path, name)
			}
		}
	}
	for host, status := range map[string]int{"siegel.firma.example:8443": 200, "SIEGEL.firma.example:8443": 200, "siegel.firma.example": 421, "evil.example:8443": 421, "10.1.2.3:8443": 421, "": 421} {
		r := request(http.MethodPost, addin.ExplainPath, inside, body)
		r.Host = host
		if got := s.do(r); got.StatusCode != status {
			t.Errorf("the host %q: %d, want %d", host, got.StatusCode, status)
		}
	}
}

// What is no question.
func TestBadQuestions(t *testing.T) {
	s := newStand(t, nil)
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("r%d@partner.example", i))
		}
		return all
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing":                 {"", 400},
		"no JSON":                 {"{", 400},
		"a list":                  {"[]", 400},
		"null":                    {"null", 400},
		"two":                     {question("alice@firma.example", "x@y.example") + "{}", 400},
		"a key too many":          {`{"from":"alice@firma.example","to":["x@y.example"],"listener":"submission"}`, 400},
		"a message":               {`{"from":"alice@firma.example","to":["x@y.example"],"message":"RnJvbTo="}`, 400},
		"twins":                   {`{"from":"alice@firma.example","FROM":"bob@firma.example","to":["x@y.example"]}`, 400},
		"a text for a list":       {`{"from":"alice@firma.example","to":"x@y.example"}`, 400},
		"a text for a number":     {`{"from":"alice@firma.example","to":["x@y.example"],"size":"1"}`, 400},
		"a size below 0":          {`{"from":"alice@firma.example","to":["x@y.example"],"size":-1}`, 400},
		"a size beyond all":       {`{"from":"alice@firma.example","to":["x@y.example"],"size":9999999999}`, 400},
		"nobody":                  {question("alice@firma.example"), 400},
		"nobody in the lists":     {`{"from":"alice@firma.example","to":null,"cc":[]}`, 400},
		"no address":              {question("alice@firma.example", "bob"), 400},
		"an address that injects": {question("alice@firma.example", "bob@y.example>\r\nRCPT TO:<x@y.example"), 400},
		"an empty address":        {question("alice@firma.example", ""), 400},
		"an option that is none":  {`{"from":"alice@firma.example","to":["x@y.example"],"flags":{"deMail":["sent","x\r\nX-Siegel-Sign: yes"]}}`, 400},
		"options without end":     {`{"from":"alice@firma.example","to":["x@y.example"],"flags":{"deMail":["sent","sent","sent","sent","sent","sent","sent"]}}`, 400},
		"a long subject":          {`{"from":"alice@firma.example","to":["x@y.example"],"subject":"` + strings.Repeat("x", 9<<10) + `"}`, 400},
		"as many as may be":       {question("alice@firma.example", many(15)...), 200},
		"one too many":            {question("alice@firma.example", many(16)...), 400},
		"too large":               {question("alice@firma.example", strings.Repeat("x", 300<<10)), 413},
		"too deep":                {`{"from":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400},
	} {
		s.pass(time.Hour)
		r := s.ask(outside, s.entra(t, nil), c.body)
		if c.status != 200 {
			problemOf(t, r, c.status)
		} else if r.StatusCode != 200 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if n := len(s.oracle.questions()); n != 1 {
		t.Errorf("the gateway was asked %d times", n)
	}
	if s.do(request(http.MethodGet, addin.ExplainPath, inside, "")).StatusCode != 405 || s.do(request(http.MethodPost, addin.SettingsPath, inside, "")).StatusCode != 405 || s.do(request(http.MethodDelete, "/outlook/read.html", inside, "")).StatusCode != 405 {
		t.Error("a method that is none was taken")
	}
}

// A fault of the gateway tells its user nothing of it, and names the line of the log that does.
func TestTrouble(t *testing.T) {
	s := newStand(t, nil)
	body := question("alice@firma.example", "bob@partner.example")
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{errBroken, 500, addin.CodeInternal},
		{fmt.Errorf("ldap: %w", context.DeadlineExceeded), 503, addin.CodeUnavailable},
		{fmt.Errorf("%w: no listener takes it", explain.ErrQuestion), 403, addin.CodeForbidden},
	} {
		s.oracle.err = c.err
		p := problemOf(t, s.ask(outside, s.entra(t, nil), body), c.status)
		if p.Code != c.code || strings.Contains(p.En+p.De, "broken") || strings.Contains(p.En+p.De, "ldap") {
			t.Errorf("%v: %+v", c.err, p)
		}
		if c.status == 403 {
			continue
		}
		last := s.log.LastEntry()
		ref, _ := last.Data["reference"].(string)
		if ref == "" || !strings.Contains(p.En, ref) || !strings.Contains(p.De, ref) {
			t.Errorf("the answer %q does not refer to the log: %v", p.En, last.Data)
		}
	}
}

// The keys are away: that is no fault of the user, and tried again.
func TestKeysAway(t *testing.T) {
	s := newStand(t, func(setup *addin.Setup) {
		setup.Verifier.Entra = token.NewEntra(token.EntraOptions{
			Tenant: tokentest.Tenant, Client: tokentest.Client, Audiences: []string{tokentest.Client}, Scope: tokentest.Scope, Authority: authority,
			Keys: token.NewKeys(func(context.Context) ([]token.Key, error) { return nil, errBroken }, func() time.Time { return now }), Now: func() time.Time { return now },
		})
	})
	r := s.ask(outside, s.entra(t, nil), question("alice@firma.example", "x@y.example"))
	if p := problemOf(t, r, 503); p.Code != addin.CodeUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("%+v", p)
	}
}

// Settings are for everybody, and as the page about the API has them.
func TestSettings(t *testing.T) {
	get := func(s *stand) (out addin.Settings) {
		t.Helper()
		r := s.do(request(http.MethodGet, addin.SettingsPath, outside, ""))
		if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-store" {
			t.Fatal(r.StatusCode)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "null") {
			t.Errorf("a page would meet null in place of a list: %s", body)
		}
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := get(newStand(t, nil))
	if all.Authentication != addin.ByEntra || !slices.Equal(all.Alternatives, []string{addin.ByExchange, addin.ByNetwork}) || all.Limits.Recipients != 15 || all.Limits.Bytes != 256<<10 || all.Language != "de" {
		t.Errorf("%+v", all)
	}
	if none := get(newStand(t, func(s *addin.Setup) { s.Verifier, s.Networks = token.Verifier{}, nil })); none.Authentication != addin.ByNothing || len(none.Alternatives) != 0 {
		t.Errorf("%+v", none)
	}
	if n := get(newStand(t, func(s *addin.Setup) { s.Verifier = token.Verifier{} })); n.Authentication != addin.ByNetwork || len(n.Alternatives) != 0 {
		t.Errorf("%+v", n)
	}
	if n := get(newStand(t, func(s *addin.Setup) { s.Bounds.Recipients = 5000 })); n.Limits.Recipients != explain.MaxRecipients {
		t.Errorf("%d recipients in one question, and the gateway answers %d", n.Limits.Recipients, explain.MaxRecipients)
	}
}

// FuzzQuestion: whatever a known user sends is answered, and the gateway is asked only what a user may.
func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{question("alice@firma.example", "bob@partner.example"), `{"from":"alice@firma.example","to":["x@y.example"],"flags":{"deMail":["sent"]}}`, "{", `{"from":"a@b"}`, `{"from":"alice@firma.example","cc":["\"a b\"@x.example"]}`} {
		f.Add([]byte(seed))
	}
	s := newStand(f, func(setup *addin.Setup) { setup.Bounds.PerMinute, setup.Bounds.RecipientsPerHour = 1<<30, 1<<20 })
	bearer := s.entra(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		s.oracle.mu.Lock()
		s.oracle.asked = nil
		s.oracle.mu.Unlock()
		r := s.ask(outside, bearer, string(body))
		if r.StatusCode == 500 || r.StatusCode == 401 || r.StatusCode == 503 {
			t.Fatalf("%q: %d", body, r.StatusCode)
		}
		for _, q := range s.oracle.questions() {
			if !strings.EqualFold(q.From, "alice@firma.example") || q.Listener != "" || q.Message != nil || len(q.To)+len(q.Cc)+len(q.Bcc) == 0 {
				t.Fatalf("%q: %+v", body, q)
			}
			for _, line := range q.Header {
				if strings.ContainsAny(line, "\r\n") || !strings.HasPrefix(line, "X-Siegel-") {
					t.Fatalf("%q: %q", body, line)
				}
			}
		}
	})
}
