package webservice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// asked is a request of the profile as its provider gets it.
func asked(tb testing.TB, p *Profile, op Operation, v Values, content Content) *http.Request {
	tb.Helper()
	o := p.operations[op]
	m, err := p.compose(o.action, o.header, o.request, v, o.content(), content)
	if err != nil {
		tb.Fatal(err)
	}
	in, err := m.open()
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, o.path, in)
	m.setHeader(r.Header)
	return r
}

// Credentials that a profile puts into the header of requests are read there, also where the header demands to be understood.
func TestReadHeader(t *testing.T) {
	p := profileWith(t, "t-systems", "limits:", `header: |
  <d:Security soap:mustUnderstand="true"><d:User>${user}</d:User><d:Password>${password}</d:Password></d:Security>
limits:`)
	s := &Server{Profile: p, Spool: newSpool(t)}
	v := Values{"account": "firma", "user": "a<&>", "password": `b"]]>`}
	r, err := s.Read(asked(t, p, OpDomains, v, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Operation != OpDomains || !reflect.DeepEqual(r.Values, v) {
		t.Errorf("%s %v", r.Operation, r.Values)
	}
	without := asked(t, load(t, shippedText(t, "t-systems")), OpDomains, v, nil)
	if _, err := s.Read(without); !errors.Is(err, ErrForeign) {
		t.Errorf("a request without the header is taken: %v", err)
	}
	strange := strings.NewReplacer("<soap:Body>", `<soap:Header><x soap:mustUnderstand="true"/></soap:Header><soap:Body>`)
	text, err := io.ReadAll(asked(t, load(t, shippedText(t, "t-systems")), OpDomains, v, nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(http.MethodPost, "/demail/gateway/v1", strings.NewReader(strange.Replace(string(text))))
	in.Header.Set("Content-Type", xml12)
	if _, err := s.Read(in); err == nil || errors.Is(err, ErrForeign) {
		t.Errorf("a header block that demands to be understood is passed over: %v", err)
	}
	if len(p.understood) > 0 {
		t.Error("the client's side of the profile has changed")
	}
}

// Pages have what they are asked for, wherever they begin; what no client asks for is none.
func TestPage(t *testing.T) {
	var all []Values
	for i := range 5 {
		all = append(all, Values{"id": fmt.Sprint(i)})
	}
	number, cursor := "      by: number\n      first: 1\n", "      by: cursor\n      next: d:ListMessagesResponse/d:NextCursor\n"
	for name, c := range map[string]struct {
		profile *Profile
		values  Values
		want    string
		more    bool
		next    string
	}{
		"first":            {load(t, shippedText(t, "mentana")), Values{"page_number": "1", "page_size": "2"}, "0 1", true, "after-2"},
		"second":           {load(t, shippedText(t, "mentana")), Values{"page_number": "2", "page_size": "2"}, "2 3", true, "after-4"},
		"last":             {load(t, shippedText(t, "mentana")), Values{"page_number": "3", "page_size": "2"}, "4", false, ""},
		"beyond":           {load(t, shippedText(t, "mentana")), Values{"page_number": "4", "page_size": "2"}, "", false, ""},
		"far beyond":       {load(t, shippedText(t, "mentana")), Values{"page_number": "2000000", "page_size": "2000000"}, "refused", false, ""},
		"none":             {load(t, shippedText(t, "mentana")), Values{"page_number": "0", "page_size": "2"}, "refused", false, ""},
		"no number":        {load(t, shippedText(t, "mentana")), Values{"page_number": "x", "page_size": "2"}, "refused", false, ""},
		"no size":          {load(t, shippedText(t, "mentana")), Values{"page_number": "1", "page_size": "0"}, "refused", false, ""},
		"size unsaid":      {load(t, shippedText(t, "mentana")), Values{"page_number": "1"}, "0 1 2 3 4", false, ""},
		"by offset":        {profileWith(t, "mentana", number, "      by: offset\n      first: 0\n"), Values{"page_offset": "3", "page_size": "1"}, "3", true, "after-4"},
		"offset of one":    {profileWith(t, "mentana", number, "      by: offset\n      first: 1\n"), Values{"page_offset": "1", "page_size": "1"}, "0", true, "after-1"},
		"by cursor":        {load(t, shippedText(t, "t-systems")), Values{"page_size": "3"}, "0 1 2", true, "after-3"},
		"cursor":           {load(t, shippedText(t, "t-systems")), Values{"page_cursor": "after-3", "page_size": "3"}, "3 4", false, ""},
		"another's cursor": {load(t, shippedText(t, "t-systems")), Values{"page_cursor": "3", "page_size": "3"}, "refused", false, ""},
		"negative cursor":  {load(t, shippedText(t, "t-systems")), Values{"page_cursor": "after--3", "page_size": "3"}, "refused", false, ""},
		"no pages":         {profileWith(t, "t-systems", "    paging:\n"+cursor, ""), Values{}, "0 1 2 3 4", false, ""},
	} {
		v, err := (&Server{Profile: c.profile}).Page(&Request{Operation: OpList, Values: c.values}, all)
		var ids []string
		if list, ok := v["answers"].([]Values); ok {
			for _, one := range list {
				ids = append(ids, one["id"].(string))
			}
		}
		got := strings.Join(ids, " ")
		if errors.Is(err, ErrForeign) {
			got = "refused"
		}
		more, _ := v["more"].(bool)
		next, _ := v["next"].(string)
		if got != c.want || more != c.more || next != c.next {
			t.Errorf("%s: %q %v %q, %v", name, got, more, next, err)
		}
	}
	if _, err := (&Server{Profile: load(t, shippedText(t, "mentana"))}).Page(&Request{Operation: OpSubmit}, all); err == nil {
		t.Error("a submission has pages")
	}
}

// What the provider's side asks a profile.
func TestProfileAsProvider(t *testing.T) {
	p, q := load(t, shippedText(t, "mentana")), load(t, shippedText(t, "t-systems"))
	if !slices.Equal(p.Paths(), []string{"/services/mail", "/services/session"}) || !slices.Equal(q.Paths(), []string{"/demail/gateway/v1"}) {
		t.Error(p.Paths(), q.Paths())
	}
	if p.Session() != "token" || q.Session() != "none" || p.LevelWord("high") != "2" || q.LevelWord("normal") != "NORMAL" || q.LevelWord("") != "" {
		t.Error(p.Session(), p.LevelWord("high"), q.LevelWord("normal"))
	}
	if p.MediaType() != "text/xml; charset=utf-8" || q.Namespace() != soap12 || !p.Answers(OpLogin) || q.Answers(OpLogin) || !p.Refuses(SessionExpired) || q.Refuses(SessionExpired) {
		t.Error(p.MediaType(), q.Namespace())
	}
	if len(Operations()) != len(definitions) {
		t.Error(Operations())
	}
	for _, profile := range []*Profile{p, q} {
		for _, op := range Operations() {
			if profile.Has(op) {
				if got := profile.OperationOf(asked(t, profile, op, sampleValues(profile.operations[op].definition), sampleContent(profile, op))); got != op {
					t.Errorf("%s: %s is taken for %q", profile.Name, op, got)
				}
			}
		}
	}
	if got := p.OperationOf(httptest.NewRequest(http.MethodPost, "/", nil)); got != "" {
		t.Error(got)
	}
	s := &Server{Profile: profileWith(t, "t-systems", "        over-quota: [DAILY_LIMIT]\n", "")}
	if err := s.Refuse(httptest.NewRecorder(), OverQuota); !errors.Is(err, ErrNoExample) {
		t.Error(err)
	}
}

// sampleContent is a message where the operation carries one.
func sampleContent(p *Profile, op Operation) Content {
	if p.operations[op].content() == "" {
		return nil
	}
	return textContent(sample)
}

// FuzzRequest makes requests of any values, and reads them back: the provider gets what was given, or nothing was sent.
func FuzzRequest(f *testing.F) {
	var servers []*Server
	for _, name := range shipped {
		servers = append(servers, &Server{Profile: load(f, shippedText(f, name)), Spool: newSpool(f)})
	}
	f.Add("key", "a@b", "to@x", "cc@x", []byte("From: a\r\n\r\nb"), true)
	f.Add(`<&"'>`, "]]>", "\r\n\t ", "${key}", []byte{0, 0xff, '\r'}, false)
	f.Add("", "", "", "", []byte{}, true)
	f.Fuzz(func(t *testing.T, key, sender, to, cc string, content []byte, flag bool) {
		for _, s := range servers {
			v := Values{"key": key, "sender": sender, "to": []string{to, cc}, "cc": []string{cc}, "recipients": []string{to, cc}, "size": "1", "account": sender, "session": key,
				"dispatch": flag, "receipt": !flag, "retrieve": flag, "authoritative": false, "private": true}
			op := s.Profile.operations[OpSubmit]
			m, err := s.Profile.compose(op.action, nil, op.request, v, "content", textContent(content))
			if err != nil {
				if xmlText(key) && xmlText(sender) && xmlText(to) && xmlText(cc) {
					t.Fatal(err)
				}
				continue
			}
			text, err := m.bytes()
			if err != nil {
				t.Fatal(err)
			}
			in := httptest.NewRequest(http.MethodPost, op.path, bytes.NewReader(text))
			m.setHeader(in.Header)
			readBack(t, s, in, v, content)
		}
	})
}

// readBack reads a request, which must say what was given.
func readBack(t *testing.T, s *Server, in *http.Request, want Values, content []byte) {
	t.Helper()
	r, err := s.Read(in)
	if err != nil {
		t.Fatalf("%s: %v", s.Profile.Name, err)
	}
	defer r.Close()
	for name, value := range r.Values {
		if w, ok := want[name]; !ok || !reflect.DeepEqual(w, value) {
			t.Errorf("%s: %s was %q, and %q is read", s.Profile.Name, name, w, value)
		}
	}
	message, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	defer message.Close()
	if got, err := io.ReadAll(message); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%s: %q, %v", s.Profile.Name, got, err)
	}
}
