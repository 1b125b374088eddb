package webservice

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// envelope12 wraps the content of a body.
func envelope12(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="` + soap12 + `" xmlns:d="urn:siegel:example:t-systems:demail"><s:Body>` + body + `</s:Body></s:Envelope>`
}

const xml12 = "application/soap+xml; charset=utf-8"

// What is no SOAP answer, or tries to be more than one, is refused before anything of it counts, and no error repeats a word of it.
func TestAnswersRefused(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	long := strings.Repeat("hostile-word", 6000)
	for name, text := range map[string]string{
		"empty":                  "",
		"no XML":                 "hostile-word",
		"document type":          `<!DOCTYPE x [<!ENTITY hostile-word "x">]>` + envelope12(`<d:X>&hostile-word;</d:X>`),
		"external entity":        `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + envelope12(`<d:X>&e;</d:X>`),
		"unknown entity":         envelope12(`<d:X>&hostile-word;</d:X>`),
		"processing instruction": envelope12(`<?hostile-word?><d:X/>`),
		"style sheet":            `<?xml version="1.0"?><?xml-stylesheet href="hostile-word"?>` + envelope12(`<d:X/>`)[38:],
		"second declaration":     envelope12(`<?xml version="1.0"?><d:X/>`),
		"two documents":          envelope12(`<d:X/>`) + envelope12(`<d:X/>`)[38:],
		"text behind":            envelope12(`<d:X/>`) + "hostile-word",
		"cut":                    envelope12(`<d:X/>`)[:150],
		"wrong end":              envelope12(`<d:X></d:Y>`),
		"undeclared prefix":      envelope12(`<hostile-word:X/>`),
		"undeclared attribute":   envelope12(`<d:X hostile-word:a="1"/>`),
		"attribute twice":        envelope12(`<d:X a="1" a="2"/>`),
		"attribute twice by ns":  envelope12(`<d:X xmlns:e="urn:siegel:example:t-systems:demail" d:a="1" e:a="2"/>`),
		"declared twice":         envelope12(`<d:X xmlns:e="a" xmlns:e="b"/>`),
		"empty namespace":        envelope12(`<d:X xmlns:e=""/>`),
		"xml redeclared":         envelope12(`<d:X xmlns:xml="urn:x"/>`),
		"colons":                 envelope12(`<d:X:Y/>`),
		"deep":                   envelope12(strings.Repeat("<d:X>", 70) + strings.Repeat("</d:X>", 70)),
		"very deep":              envelope12(strings.Repeat("<d:X>", 500_000)),
		"wide":                   envelope12(strings.Repeat("<d:X/>", maxElements+1)),
		"attributes":             envelope12("<d:X " + strings.Repeat(`a`, 10) + manyAttributes(70) + "/>"),
		"long text":              envelope12("<d:X>" + long + "</d:X>"),
		"long comment":           envelope12("<!--" + long + "-->"),
		"long CDATA":             envelope12("<d:X><![CDATA[" + long + "]]></d:X>"),
		"long attribute":         envelope12(`<d:X a="` + long + `"/>`),
		"much text":              envelope12(strings.Repeat("<d:X>"+long[:60_000]+"</d:X>", 75)),
		"UTF-16":                 `<?xml version="1.0" encoding="UTF-16"?>` + envelope12("<d:X/>")[38:],
		"Latin-1":                `<?xml version="1.0" encoding="ISO-8859-1"?>` + envelope12("<d:X/>")[38:],
		"not UTF-8":              envelope12("<d:X>\xff</d:X>"),
		"control character":      envelope12("<d:X>\x01</d:X>"),
		"other version":          strings.Replace(envelope12("<d:X/>"), soap12, soap11, 1),
		"other namespace":        strings.Replace(envelope12("<d:X/>"), soap12, "urn:hostile-word", 1),
		"two bodies":             strings.Replace(envelope12("<d:X/>"), "</s:Envelope>", "<s:Body/></s:Envelope>", 1),
		"header behind":          strings.Replace(envelope12("<d:X/>"), "</s:Envelope>", "<s:Header/></s:Envelope>", 1),
		"no body":                `<s:Envelope xmlns:s="` + soap12 + `"/>`,
		"must understand":        strings.Replace(envelope12("<d:X/>"), "<s:Body>", `<s:Header><d:H s:mustUnderstand="true"/></s:Header><s:Body>`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := p.readAnswer(xml12, strings.NewReader(text), nil)
			if a != nil || !errors.Is(err, errAnswer) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), "hostile-word") {
				t.Errorf("the error repeats the answer: %v", err)
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="1"`, i)
	}
	return "=\"1\"" + b.String()
}

func TestAnswersTaken(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	for name, text := range map[string]string{
		"comment":        envelope12("<!-- c --><d:X/>"),
		"CDATA":          envelope12("<d:X><![CDATA[<a>&]]></d:X>"),
		"header":         strings.Replace(envelope12("<d:X/>"), "<s:Body>", `<s:Header><d:H s:mustUnderstand="false"/></s:Header><s:Body>`, 1),
		"no declaration": envelope12("<d:X/>")[38:],
		"sign in quotes": envelope12(`<d:X a=">" b='"'/>`),
	} {
		a, err := p.readAnswer(xml12, strings.NewReader(text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a.close()
	}
	understood := profileWith(t, "t-systems", "soap:", "understood: [d:H]\nsoap:")
	text := strings.Replace(envelope12("<d:X/>"), "<s:Body>", `<s:Header><d:H s:mustUnderstand="1"/></s:Header><s:Body>`, 1)
	if _, err := understood.readAnswer(xml12, strings.NewReader(text), nil); err != nil {
		t.Errorf("understood: %v", err)
	}
}

// Only what the profile's version of SOAP calls itself is read.
func TestContentTypes(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	for kind, good := range map[string]bool{
		"application/soap+xml": true, "application/soap+xml; charset=UTF-8; action=x": true, "Application/SOAP+XML;charset=\"us-ascii\"": true,
		"": false, "text/xml": false, "application/xml": false, "text/html": false, "application/soap+xml; charset=utf-16": false, "application/soap+xml; charset": false,
		"multipart/related": false, "multipart/mixed; boundary=x": false,
	} {
		if _, err := p.readAnswer(kind, strings.NewReader(envelope12("<d:X/>")), nil); (err == nil) != good {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// inlineText reads the message of an answer to fetch.
func (p *Profile) inlineText(tb testing.TB, kind, text string) (string, error) {
	tb.Helper()
	a, err := p.readAnswer(kind, strings.NewReader(text), newSpool(tb))
	if err != nil {
		return "", err
	}
	defer a.close()
	k := &call{client: &Client{options: Options{Profile: p}}, op: p.operations[OpFetch], session: &sessionView{}}
	at, err := k.element(a.body, "content")
	if err != nil {
		return "", err
	}
	in, err := a.open(at)
	if err != nil {
		return "", err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	return string(b), err
}

// lines breaks base64 into lines that end with eol.
func lines(b []byte, eol string) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(text) > 76 {
		out.WriteString(text[:76] + eol)
		text = text[76:]
	}
	return out.String() + text
}

// Inline base64 of any length and in any lines is the message; anything else there is none.
func TestInline(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	in, _ := patterned(500_000).Open()
	big, _ := io.ReadAll(in)
	wrap := func(s string) string {
		return envelope12("<d:GetMessageResponse><d:Message>" + s + "</d:Message></d:GetMessageResponse>")
	}
	for _, size := range []int{0, 1, 2, 3, 1000, 49_100, 49_152, 49_153, 500_000} {
		for _, eol := range []string{"", "\n", "\r\n", "&#13;\n", "&#xD;&#xA;", " \t"} {
			got, err := p.inlineText(t, xml12, wrap(lines(big[:size], eol)))
			if size == 0 && eol != "" {
				continue
			}
			if err != nil || got != string(big[:size]) {
				t.Errorf("%d bytes in lines with %q: %v", size, eol, err)
			}
		}
	}
	long := lines(big, "\n")
	for name, text := range map[string]string{
		"no base64":         wrap("no base64!"),
		"long, no base64":   wrap(long + "!"),
		"long, cut":         wrap(long[:len(long)-1]),
		"after padding":     wrap(long + "AAAA=AAA"),
		"entity in it":      wrap(long + "&#65;"),
		"element behind":    wrap(long + "<d:X/>"),
		"comment behind":    wrap(long + "<!-- c -->AAAA"),
		"element before":    wrap("<d:X/>" + long),
		"text and element":  wrap("AAAA<d:X/>"),
		"two":               strings.Replace(wrap("AAAA"), "</d:Message>", "</d:Message><d:Message>AAAA</d:Message>", 1),
		"none":              envelope12("<d:GetMessageResponse/>"),
		"long, in the body": envelope12(long),
		"never ends":        wrap(long)[:300_000],
		"part without any":  wrap(`<x:Include xmlns:x="` + xopSpace + `" href="cid:a"/>`),
	} {
		if got, err := p.inlineText(t, xml12, text); err == nil {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

// multi builds a multipart answer of parts: headers and content.
func multi(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--BOUND\r\n" + p + "\r\n")
	}
	return b.String() + "--BOUND--\r\n"
}

const (
	rootHeader = "Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-ID: <root>\r\n\r\n"
	partHeader = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <part>\r\n\r\n"
	multi12    = `multipart/related; type="application/xop+xml"; start="<root>"; start-info="application/soap+xml"; boundary=BOUND`
)

// including is an answer to fetch that refers to a part.
func including(href string) string {
	return envelope12(`<d:GetMessageResponse><d:Message><x:Include xmlns:x="` + xopSpace + `" href="` + href + `"/></d:Message></d:GetMessageResponse>`)
}

// XOP references lead to parts of the same answer, and the answer must be whole.
func TestMultipart(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	message := "From: a\r\n\r\n--BOUN\r\n\x00\xff"
	for name, text := range map[string]string{
		"plain":         multi(rootHeader+including("cid:part"), partHeader+message),
		"escaped":       multi(rootHeader+including("CID:p%61rt"), partHeader+message),
		"others around": multi(rootHeader+including("cid:part"), strings.Replace(partHeader, "<part>", "<other>", 1)+"x", partHeader+message, strings.Replace(partHeader, "<part>", "<more>", 1)+"x"),
		"unnamed root":  multi(strings.Replace(rootHeader, "Content-ID: <root>\r\n", "", 1)+including("cid:part"), partHeader+message),
		"preamble":      "ignored\r\n" + multi(rootHeader+including("cid:part"), partHeader+message),
	} {
		kind := multi12
		if name == "unnamed root" {
			kind = strings.Replace(kind, `start="<root>"; `, "", 1)
		}
		if got, err := p.inlineText(t, kind, text); err != nil || got != message {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	good := multi(rootHeader+including("cid:part"), partHeader+message)
	for name, c := range map[string][2]string{
		"no last boundary":    {multi12, strings.TrimSuffix(good, "--BOUND--\r\n")},
		"cut in the part":     {multi12, good[:len(good)-20]},
		"missing":             {multi12, multi(rootHeader + including("cid:part"))},
		"start is not there":  {multi12, multi(strings.Replace(rootHeader, "Content-ID: <root>\r\n", "", 1)+including("cid:part"), partHeader+message)},
		"other":               {multi12, multi(rootHeader+including("cid:other"), partHeader+message)},
		"outside":             {multi12, multi(rootHeader+including("https://hostile-word.example/"), partHeader+message)},
		"file":                {multi12, multi(rootHeader+including("file:///etc/passwd"), partHeader+message)},
		"relative":            {multi12, multi(rootHeader+including("part"), partHeader+message)},
		"twice the same":      {multi12, multi(rootHeader+including("cid:part"), partHeader+message, partHeader+message)},
		"identifier missing":  {multi12, multi(rootHeader+including("cid:part"), "Content-Type: text/plain\r\n\r\nx", partHeader+message)},
		"two identifiers":     {multi12, multi(rootHeader+including("cid:part"), "Content-ID: <a>\r\n"+partHeader+message)},
		"root is not first":   {multi12, multi(partHeader+message, rootHeader+including("cid:part"))},
		"root of other type":  {multi12, multi(strings.Replace(rootHeader, "application/xop+xml", "text/html", 1)+including("cid:part"), partHeader+message)},
		"root in UTF-16":      {multi12, multi(strings.Replace(rootHeader, "type=\"application/soap+xml\"", "type=\"text/xml\"", 1)+including("cid:part"), partHeader+message)},
		"quoted-printable":    {multi12, multi(rootHeader+including("cid:part"), strings.Replace(partHeader, "binary", "quoted-printable", 1)+message)},
		"type missing":        {strings.Replace(multi12, `type="application/xop+xml"; `, "", 1), good},
		"no boundary":         {strings.Replace(multi12, "; boundary=BOUND", "", 1), good},
		"long boundary":       {strings.Replace(multi12, "boundary=BOUND", "boundary="+strings.Repeat("B", 71), 1), good},
		"malformed header":    {multi12, multi(rootHeader+including("cid:part"), "hostile-word\r\n\r\nx", partHeader+message)},
		"many parts":          {multi12, multi(append([]string{rootHeader + including("cid:part")}, manyParts(70)...)...)},
		"text beside include": {multi12, multi(rootHeader+strings.Replace(including("cid:part"), "<d:Message>", "<d:Message>AAAA", 1), partHeader+message)},
	} {
		got, err := p.inlineText(t, c[0], c[1])
		if err == nil {
			t.Errorf("%s: %q", name, got)
		} else if strings.Contains(err.Error(), "hostile-word") {
			t.Errorf("%s: the error repeats the answer: %v", name, err)
		}
	}
}

func manyParts(n int) []string {
	var out []string
	for i := range n {
		out = append(out, strings.Replace(partHeader, "<part>", fmt.Sprintf("<p%d>", i), 1)+"x")
	}
	return out
}

// Values too may come as parts, short ones, each referred to once.
func TestResolve(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	entry := func(href string) string {
		return `<d:Entry><d:Certificate><x:Include xmlns:x="` + xopSpace + `" href="` + href + `"/></d:Certificate></d:Entry>`
	}
	resolve := func(text string) (*answer, error) {
		a, err := p.readAnswer(multi12, strings.NewReader(text), nil)
		if err != nil {
			return nil, err
		}
		return a, a.resolve(nil)
	}
	a, err := resolve(multi(rootHeader+envelope12(entry("cid:part")), partHeader+"\x01\x02"))
	if err != nil || a.body.value() != "AQI=" {
		t.Errorf("%v", err)
	}
	for name, text := range map[string]string{
		"twice":    multi(rootHeader+envelope12(entry("cid:part")+entry("cid:part")), partHeader+"x"),
		"missing":  multi(rootHeader+envelope12(entry("cid:a")), partHeader+"x"),
		"too long": multi(rootHeader+envelope12(entry("cid:part")), partHeader+strings.Repeat("x", maxPart+1)),
		"cut":      strings.TrimSuffix(multi(rootHeader+envelope12(entry("cid:part")), partHeader+"x"), "--\r\n"),
	} {
		if _, err := resolve(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// An answer is cut off where it grows beyond the profile's limits.
func TestLimits(t *testing.T) {
	p := profileWith(t, "t-systems", "incoming: 90MiB", "incoming: 64KiB", "answer: 4MiB", "answer: 8KiB")
	text := envelope12(strings.Repeat("<d:X/>", 2000))
	if _, err := p.readAnswer(xml12, strings.NewReader(text), nil); !errors.Is(err, errAnswer) || !strings.Contains(err.Error(), "limits") {
		t.Errorf("%v", err)
	}
	endless := io.MultiReader(strings.NewReader(envelope12("")[:170]+"<d:X>"), endlessBase64{})
	if _, err := p.readAnswer(xml12, endless, newSpool(t)); err == nil {
		t.Error("an endless answer was read")
	}
	s := newProvider(t, p)
	s.hungUp = true
	s.waiting["m"] = strings.Repeat("x", 64<<10+1)
	err := s.client().Fetch(t.Context(), "m", func(in io.Reader) error { _, err := io.Copy(io.Discard, in); return err })
	if ClassOf(err) != TooLarge || !strings.Contains(err.Error(), "limits") {
		t.Errorf("%v", err)
	}
}

type endlessBase64 struct{}

func (endlessBase64) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'A'
	}
	return len(b), nil
}

// Read in any pieces, an answer is the same.
func TestPieces(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	text := envelope12("<!-- c --><d:X a='>'>" + "<![CDATA[x]]>" + "</d:X>")
	a, err := p.readAnswer(xml12, io.MultiReader(oneByte(text)...), nil)
	if err != nil || a.body.value() != "x" {
		t.Errorf("%v", err)
	}
}

func oneByte(s string) []io.Reader {
	var out []io.Reader
	for i := range len(s) {
		out = append(out, bytes.NewReader([]byte{s[i]}))
	}
	return out
}
