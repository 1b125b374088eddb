package entity

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func convert(t testing.TB, in string, mode Mode) string {
	t.Helper()
	var out bytes.Buffer
	if err := scan(t, in).Convert(&out, strings.NewReader(in), mode); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestConvertSevenBit(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"clean text passes", "Subject: x\n\nhello\n", "Subject: x\n\nhello\n"},
		{"eight bit text", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\u00fc\u00dfe aus M\u00fcnchen und K\u00f6ln\n",
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe aus M=C3=BCnchen und K=C3=B6ln\n"},
		{"mostly eight bit", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\u4f60\u597d\n",
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n5L2g5aW9DQo=\n"},
		{"label only", "Content-Transfer-Encoding: 8bit\n\nhello\n", "Content-Transfer-Encoding: 7bit\n\nhello\n"},
		{"From and blanks", "A: b\n\nFrom here \n", "A: b\nContent-Transfer-Encoding: quoted-printable\n\n=46rom here=20\n"},
		{"From in quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\nFrom h=C3=BCre =\nx\n", "Content-Transfer-Encoding: quoted-printable\n\n=46rom h=C3=BCre x\n"},
		{"clean quoted-printable passes", "Content-Transfer-Encoding: quoted-printable\n\n=46rom h=C3=BCre\n", "Content-Transfer-Encoding: quoted-printable\n\n=46rom h=C3=BCre\n"},
		{"data", "Content-Type: application/json\n\n{\"\u00fc\"}\n", "Content-Type: application/json\nContent-Transfer-Encoding: base64\n\neyLDvCJ9DQo=\n"},
		{"blanks in base64", "Content-Transfer-Encoding: base64\n\naGVs \nbG8=\n", "Content-Transfer-Encoding: base64\n\naGVsbG8=\n"},
		{"an encoding nobody knows passes", "Content-Transfer-Encoding: x-uuencode\n\nFrom \n", "Content-Transfer-Encoding: x-uuencode\n\nFrom \n"},
		{"part of a multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npre\n--b\n\none\n--b\nContent-Transfer-Encoding: 8bit\n\nz\u00fcrich bern\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npre\n--b\n\none\n--b\nContent-Transfer-Encoding: quoted-printable\n\nz=C3=BCrich bern\n--b--\n"},
		{"foreign signature passes", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\nFrom \u00fc \n--c\n\nsig\n--c--\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\nFrom \u00fc \n--c\n\nsig\n--c--\n--b--\n"},
		{"a message passes", "Content-Type: message/rfc822\n\nSubject: \u00fc \n\nFrom \n", "Content-Type: message/rfc822\n\nSubject: \u00fc \n\nFrom \n"},
		{"text around the parts goes where it is unsafe", "Content-Type: multipart/mixed; boundary=b\n\npre \u00fc\n--b\n\none\n--b--\nFrom post\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n"},
		{"a missing closing boundary stays missing", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none \n", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n\none=20\n"},
		{"headers", "Content-Type: application/pdf; name=\"\u00fc.pdf\"\nContent-Description: \u00fc\nX-Folded: a \n \n b\t\n\nx\n",
			"Content-Type: application/pdf; name*=utf-8''%C3%BC.pdf\nContent-Description: =?utf-8?q?=C3=BC?=\nX-Folded: a\n b\n\nx\n"},
		{"a file name nobody says the charset of", "Content-Disposition: attachment; filename=\"\xfc.pdf\"\n\nx\n", "Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf\n\nx\n"},
		{"part without a header", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\u00fc abcdefghijklm\n--b--\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC abcdefghijklm\n--b--\n"},
	}
	for _, c := range cases {
		want := crlf(c.want)
		for _, in := range []string{c.in, crlf(c.in)} {
			if got := convert(t, in, SevenBit); got != want {
				t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
			}
		}
		if conforms := scan(t, crlf(c.in)).Conforms(SevenBit); conforms != (c.in == c.want) {
			t.Errorf("%s: Conforms = %v", c.name, conforms)
		}
	}
}

func TestConvertBinary(t *testing.T) {
	body := "\x00\x01line\nline\r\n\xff"
	in := "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body
	for _, mode := range []Mode{SevenBit, Transport} {
		out := convert(t, in, mode)
		n := scan(t, out)
		if n.Header.TransferEncoding() != "base64" {
			t.Errorf("encoding %q", n.Header.TransferEncoding())
		}
		if got := readAll(t, Decode(strings.NewReader(out[n.Body:]), "base64")); got != body {
			t.Errorf("%q came out as %q", body, got)
		}
	}
}

func TestConvertTransport(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"eight bit, From and blanks pass", "A: \u00fc \n\nFrom \u00fc \n", "A: \u00fc \n\nFrom \u00fc \n"},
		{"bare CR", "A: b\n\nx\ry\n", "A: b\nContent-Transfer-Encoding: quoted-printable\n\nx=0Dy\n"},
		{"bare CR in a header makes no field", "A: b\rX-Siegel-Verdict: valid\n\nx\n", "A: b X-Siegel-Verdict: valid\n\nx\n"},
		{"long line", "A: b\n\n" + strings.Repeat("x", 1000) + "\n", "A: b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(strings.Repeat("x", 75)+"=\n", 13) + strings.Repeat("x", 25) + "\n"},
	}
	for _, c := range cases {
		if got := convert(t, c.in, Transport); got != crlf(c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, crlf(c.want))
		}
	}
	signed := "Content-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n\r\nx\ry\r\n--c--\r\n"
	if got := convert(t, signed, Transport); got != strings.Replace(signed, "x\ry", "x\r\ny", 1) {
		t.Errorf("bare CR in signed text: %q", got)
	}
}

// fails writes no more than n bytes.
type fails struct{ n int }

func (f *fails) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestConvertErrors(t *testing.T) {
	in := crlf("Content-Type: multipart/mixed; boundary=b\n\npre \n--b\n\none \u00fc\n--b\nContent-Transfer-Encoding: 8bit\n\n\u4f60\u597d\n--b--\npost \n")
	n := scan(t, in)
	for limit := range 100 {
		if n.Convert(&fails{limit}, strings.NewReader(in), SevenBit) == nil {
			t.Errorf("no error with room for %d bytes", limit)
		}
	}
	if err := n.Convert(io.Discard, strings.NewReader(in[:60]), SevenBit); err != io.ErrUnexpectedEOF {
		t.Errorf("a source that is shorter than before: %v", err)
	}
}

// checkConvert holds what Convert promises of any input.
func checkConvert(t fataler, in string, n *Node, mode Mode) {
	var out bytes.Buffer
	if err := n.Convert(&out, strings.NewReader(in), mode); err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	all := Traits{}
	var s lineState
	for line := range bytes.Lines(out.Bytes()) {
		all.add(line, &s, !bytes.HasSuffix(line, []byte("\n")))
	}
	if all.BareLF || mode == Transport && all.BareCR {
		t.Fatalf("%q became %q", in, out.String())
	}
	again, err := Scan(bytes.NewReader(out.Bytes()), Limits{Parts: 2000})
	if err != nil {
		t.Fatalf("%q became %q: %v", in, out.String(), err)
	}
	if !again.Type.Ambiguous && again.Type.Type != n.Type.Type && printable(n.Header) && n.Header.Complete() {
		t.Fatalf("%q became %q: the type changed", in, out.String())
	}
	strange := false
	n.All(func(n *Node) bool {
		strange = strange || foreign(n) || n.Type.Ambiguous || n.Type.IsMultipart() && n.Parts == nil || !strings.Contains("base64 quoted-printable 7bit 8bit binary", n.Header.TransferEncoding())
		for _, f := range n.Header.Fields() {
			strange = strange || len(f.Raw) > maxLine // a word too long for a line stays
		}
		return true
	})
	if boundaryBlank.Match(out.Bytes()) {
		all.TrailBlank = false // blanks after a boundary stay
	}
	if mode == SevenBit && !strange && !all.clean() {
		t.Fatalf("%q became %q: %+v", in, out.String(), all)
	}
}

func TestConvertKeepsContent(t *testing.T) {
	piece := rapid.SampledFrom([]string{"word", "\r\n", " ", "From ", "\u00fc", "=", strings.Repeat("x", 80)})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		in := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text + "\r\n--b--\r\n"
		n, err := Scan(strings.NewReader(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		checkConvert(t, in, n, SevenBit)
		var out bytes.Buffer
		n.Convert(&out, strings.NewReader(in), SevenBit)
		m, _ := Scan(bytes.NewReader(out.Bytes()), Limits{})
		p := m.Parts[0]
		body := out.String()[p.Body:p.End]
		if p.Header.TransferEncoding() == "quoted-printable" { // read by the standard library
			body = readAll(t, quotedprintable.NewReader(strings.NewReader(body)))
		} else {
			body = readAll(t, Decode(strings.NewReader(body), p.Header.TransferEncoding()))
		}
		if strings.TrimSuffix(body, "\r\n") != strings.TrimSuffix(text, "\r\n") {
			t.Fatalf("%q became %q", text, body)
		}
	})
}

// printable tells whether the Content-Type has nothing that is rewritten.
func printable(h Header) bool {
	v, _ := h.Get("Content-Type")
	return strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

var boundaryBlank = regexp.MustCompile(`(?m)^--.*[ \t]\r?$`)

// A CR alone is what no SMTP carries, and some read as a line end: whatever it stands in, Conforms sees it and Convert
// makes it CRLF.
func TestTransportHasNoBareCR(t *testing.T) {
	for _, in := range []string{
		"Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\n\r\nx\ry\r\n--a--\r\n",
		"Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\nA: x\ry\r\n\r\nz\r\n--a--\r\n",
		"Content-Type: multipart/signed; boundary=a\r\n\r\nx\ry\r\n--a\r\n\r\nz\r\n--a--\r\n",
		"Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\n\r\nz\r\n--a--\r\nx\ry\r\n",
		"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\ry\r\n",
		"Content-Type: multipart/mixed; boundary=a\r\n\r\nx\ry",
		"Content-Transfer-Encoding: x-unknown\r\n\r\nx\ry\r\n",
		"A: b\r\n\r\nx\r",
	} {
		n := scan(t, in)
		if n.Conforms(Transport) {
			t.Errorf("%q conforms", in)
		}
		if out := convert(t, in, Transport); strings.Contains(strings.ReplaceAll(out, "\r\n", ""), "\r") || !scan(t, out).Conforms(Transport) {
			t.Errorf("%q became %q", in, out)
		}
	}
}
