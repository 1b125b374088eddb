package entity

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// An edit changes what a part says, and its encoding only where it has to.
func TestConvertEdits(t *testing.T) {
	put := func(s string) *Edit { return &Edit{Insert: []byte(s)} }
	cases := []struct {
		name, in string
		edit     *Edit
		mode     Mode
		want     string
	}{
		{"text in front", "A: b\n\nhello\n", put("top\r\n"), SevenBit, "A: b\n\ntop\nhello\n"},
		{"text within", "\nhello\n", &Edit{At: 2, Insert: []byte("_")}, Transport, "\nhe_llo\n"},
		{"text taken out", "\nhello\n", &Edit{At: 1, Drop: 3}, Transport, "\nho\n"},
		{"text replaced", "\nhello\n", &Edit{At: 1, Drop: 3, Insert: []byte("ipp")}, Transport, "\nhippo\n"},
		{"after the end", "\nhello\n", &Edit{At: 99, Drop: 3, Insert: []byte("end\r\n")}, Transport, "\nhello\nend\n"},
		{"more than there is", "\nhello\n", &Edit{At: 1, Drop: 99}, Transport, "\nh"},
		{"base64 stays", "Content-Transfer-Encoding: base64\n\naGVsbG8=\n", put("top\r\n"), SevenBit, "Content-Transfer-Encoding: base64\n\ndG9wDQpoZWxsbw==\n"},
		{"quoted-printable stays", "Content-Transfer-Encoding: quoted-printable\n\nz=C3=BCrich\n", put("\u00fc\r\n"), SevenBit, "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\nz=C3=BCrich\n"},
		{"what is not ASCII is encoded", "Content-Type: text/plain; charset=utf-8\n\nhello all of you\n", put("\u00fc\r\n"), Transport,
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\nhello all of you\n"},
		{"eight bit stays where it may", "Content-Transfer-Encoding: 8bit\n\nz\u00fcrich\n", put("top\r\n"), Transport, "Content-Transfer-Encoding: 8bit\n\ntop\nz\u00fcrich\n"},
		{"From is guarded", "\nhello\n", put("From me\r\n"), SevenBit, "Content-Transfer-Encoding: quoted-printable\n\n=46rom me\nhello\n"},
		{"an encoding nobody knows is left", "Content-Transfer-Encoding: x-y\n\nhello\n", put("top\r\n"), SevenBit, "Content-Transfer-Encoding: x-y\n\nhello\n"},
		{"a message is left", "Content-Type: message/rfc822\n\nhello\n", put("top\r\n"), SevenBit, "Content-Type: message/rfc822\n\nhello\n"},
		{"binary", "Content-Type: text/plain\nContent-Transfer-Encoding: binary\n\nhello", put("top\r\n"), Transport, "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\ndG9wDQpoZWxsbw==\n"},
	}
	for _, c := range cases {
		in := crlf(c.in)
		n := scan(t, in)
		n.Edit = c.edit
		var out bytes.Buffer
		if err := n.Convert(&out, strings.NewReader(in), c.mode); err != nil || out.String() != crlf(c.want) {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.name, out.String(), err, crlf(c.want))
		}
		if n.Conforms(c.mode) != (in == crlf(c.want)) {
			t.Errorf("%s: Conforms = %v", c.name, n.Conforms(c.mode))
		}
	}
}

// The header of a part may be changed along with its content; its neighbours keep their bytes.
func TestConvertEditsAPart(t *testing.T) {
	in := crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\none\n--b\n\ntwo\n--b--\n")
	n := scan(t, in)
	n.Parts[0].Edit = &Edit{Insert: []byte("zero\r\n")}
	n.Parts[0].Header.Replace("Content-Type", "text/plain; x=1")
	var out bytes.Buffer
	if err := n.Convert(&out, strings.NewReader(in), SevenBit); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(in, "text/plain\r\n\r\n", "text/plain; x=1\r\n\r\nzero\r\n", 1); out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if err := n.Convert(io.Discard, strings.NewReader(in[:len(in)-30]), SevenBit); err == nil {
		t.Error("an early end is lost")
	}
}

// An edit of content says what the same change to a string says, however it is read.
func TestEditorIsASplice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.StringN(0, 50, -1).Draw(t, "content")
		e := Edit{At: int64(rapid.IntRange(0, 60).Draw(t, "at")), Drop: int64(rapid.IntRange(0, 60).Draw(t, "drop")), Insert: []byte(rapid.String().Draw(t, "insert"))}
		at := min(int(e.At), len(content))
		want := content[:at] + string(e.Insert) + content[min(at+int(e.Drop), len(content)):]
		var got strings.Builder
		r, buf := &editor{Edit: e, r: strings.NewReader(content)}, make([]byte, rapid.IntRange(1, 9).Draw(t, "buffer"))
		for {
			n, err := r.Read(buf)
			got.Write(buf[:n])
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want {
			t.Fatalf("got %q, want %q", got.String(), want)
		}
	})
}

func TestHeaderFit(t *testing.T) {
	h, _, err := Read(strings.NewReader("Subject: \u00fc \nX: a\n b \nY: \xff\nlast:c"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(h.Fit(SevenBit).Bytes()), "Subject: =?utf-8?q?=C3=BC?=\r\nX: a\r\n b\r\nY: =?utf-8?q?=C3=BF?=\r\nlast:c\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string(h.Fit(Transport).Bytes()), "Subject: \u00fc \r\nX: a\r\n b \r\nY: \xff\r\nlast:c\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
