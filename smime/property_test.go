package smime_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// piece is a MIME entity to be made.
type piece struct {
	kind, encoding string  // of a leaf
	content        string  // decoded, lines end with CRLF
	parts          []piece // of a multipart
}

// lineWords are what lines are made of: what programs on the way trip over.
var lineWords = []string{"word", " ", "From ", "From: x", ".", "..", "--", "-- ", "=", "=20", "\t", "gr\u00fc\u00df", "\u20ac", strings.Repeat("x", 200), "--b", ""}

// leaves draws texts in every encoding, and files.
func leaves() *rapid.Generator[piece] {
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(lineWords), 0, 5).Draw(t, "words"), "")
	})
	return rapid.Custom(func(t *rapid.T) piece {
		p := piece{encoding: rapid.SampledFrom([]string{"7bit", "8bit", "quoted-printable", "base64"}).Draw(t, "encoding")}
		p.kind = rapid.SampledFrom([]string{"text/plain; charset=utf-8", "text/html; charset=utf-8", "text/calendar; charset=utf-8; method=REQUEST", "application/pdf; name=\"a b.pdf\""}).Draw(t, "kind")
		if p.encoding == "base64" && rapid.Bool().Draw(t, "binary") {
			p.kind, p.content = "application/octet-stream", string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"))
			return p
		}
		for _, l := range rapid.SliceOfN(line, 0, 8).Draw(t, "lines") {
			p.content += l + "\r\n"
		}
		if p.encoding == "7bit" {
			p.content = strings.NewReplacer("\u00fc", "ue", "\u00df", "ss", "\u20ac", "EUR").Replace(p.content)
		}
		return p
	})
}

// trees draws entities up to a depth.
func trees(depth int) *rapid.Generator[piece] {
	return rapid.Custom(func(t *rapid.T) piece {
		if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") > 0 {
			return leaves().Draw(t, "leaf")
		}
		kind := rapid.SampledFrom([]string{"multipart/mixed", "multipart/alternative", "multipart/related", "message/rfc822"}).Draw(t, "kind")
		if kind == "message/rfc822" {
			return piece{kind: kind, parts: []piece{trees(depth-1).Draw(t, "message")}}
		}
		return piece{kind: kind, parts: rapid.SliceOfN(trees(depth-1), 1, 3).Draw(t, "parts")}
	})
}

// render writes an entity with the encoders of the standard library; level keeps boundaries apart.
func (p piece) render(level int) string {
	switch {
	case p.kind == "message/rfc822":
		return "Content-Type: message/rfc822\r\n\r\nFrom: dana@example.net\r\nSubject: within\r\nMIME-Version: 1.0\r\n" + p.parts[0].render(level+1)
	case p.parts != nil:
		boundary := fmt.Sprintf("=-b%d", level)
		s := "Content-Type: " + p.kind + ";\r\n boundary=\"" + boundary + "\"\r\n\r\nA preamble.\r\n"
		for i, c := range p.parts {
			s += "--" + boundary + "\r\n" + c.render(10*level+i+1) + "\r\n"
		}
		return s + "--" + boundary + "--\r\n"
	}
	s := "Content-Type: " + p.kind + "\r\nContent-Transfer-Encoding: " + p.encoding + "\r\n\r\n"
	switch p.encoding {
	case "quoted-printable":
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		io.WriteString(w, p.content)
		w.Close()
		return s + b.String()
	case "base64":
		for rest := base64.StdEncoding.EncodeToString([]byte(p.content)); rest != ""; {
			n := min(76, len(rest))
			s += rest[:n] + "\r\n"
			rest = rest[n:]
		}
		return s
	}
	return s + p.content
}

// understood is what the standard library understands of a message: the types and decoded contents of its leaves. The line
// end before a boundary is not told from one of the text.
func understood(message string) string {
	m, err := mail.ReadMessage(strings.NewReader(message))
	if err != nil {
		return "no message: " + err.Error()
	}
	var b strings.Builder
	understand(&b, textproto.MIMEHeader(m.Header), m.Body)
	return b.String()
}

func understand(b *strings.Builder, h textproto.MIMEHeader, body io.Reader) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		fmt.Fprintln(b, "no type", err)
		return
	}
	switch {
	case kind == "multipart/signed": // what is signed
		if p, err := multipart.NewReader(body, params["boundary"]).NextRawPart(); err == nil {
			understand(b, p.Header, p)
		}
	case strings.HasPrefix(kind, "multipart/"):
		fmt.Fprintln(b, kind, "(")
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err != nil {
				break
			}
			understand(b, p.Header, p)
		}
		fmt.Fprintln(b, ")")
	case kind == "message/rfc822":
		data, _ := io.ReadAll(body)
		fmt.Fprintf(b, "%s %s", kind, understood(string(data)))
	default:
		switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		data, err := io.ReadAll(body)
		if strings.HasPrefix(kind, "text/") {
			data = []byte(strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"))
		}
		fmt.Fprintf(b, "%s %q %q %v\n", kind, params["name"], strings.TrimSuffix(string(data), "\r\n"), err)
	}
}

// Protect, then Open, leaves what a message means to the standard library's readers as it was, and its verdict and
// layers say what was done, whatever the options.
func TestProtectThenOpenKeepsTheMeaning(t *testing.T) {
	w := theWorld()
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SampledFrom([]string{"Plain", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "folded\r\n over\r\n\tlines", "[...]", ""}).Draw(t, "subject")
		message := "From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: " + subject + "\r\nDate: Mon, 04 May 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n" +
			trees(3).Draw(t, "tree").render(1)
		o := smime.ProtectOptions{Time: now, Headers: rapid.SampledFrom([]smime.HeaderProtection{
			{}, {Policy: smime.HCPBaseline, WithoutLegacyDisplay: true}, {Policy: smime.HCPNoConfidentiality},
		}).Draw(t, "headers")}
		want, verdict := "", smime.Unsigned
		if rapid.Bool().Draw(t, "sign") {
			o.Signers, o.Opaque = w.alice.signers(), rapid.Bool().Draw(t, "opaque")
			verdict = smime.Valid
			want = map[bool]string{false: " signed:clear:valid", true: " signed:opaque:valid"}[o.Opaque]
		}
		if o.Signers == nil || rapid.Bool().Draw(t, "encrypt") {
			o.EncryptTo = to(w.alice, w.bob)
			o.Algorithm = rapid.SampledFrom([]cms.Algorithm{"", cms.AES128CBC, cms.AES128GCM, cms.AES256GCM, cms.ChaCha20Poly1305}).Draw(t, "algorithm")
			kind := " enveloped:open"
			if strings.HasSuffix(string(o.Algorithm), "gcm") || o.Algorithm == cms.ChaCha20Poly1305 {
				kind = " authEnveloped:open"
			}
			want = kind + want
		}
		var sent, got bytes.Buffer
		if err := smime.Protect(&sent, text(message), o); err != nil {
			t.Fatal(err)
		}
		opened, err := smime.Open(t.Context(), text(sent.String()), w.options())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		if opened.Verdict != verdict || layers(opened.Report) != want[1:] {
			t.Fatalf("%s, %q, want %s, %q; reasons %q", opened.Verdict, layers(opened.Report), verdict, want[1:], opened.Reasons)
		}
		opened.WriteTo(&got)
		content := got.String()
		if o.Opaque {
			content = "From: x\r\n" + opaqueContent(t, content)
		}
		if have, meant := understood(content), understood(message); have != meant {
			t.Fatalf("%q\nmeans\n%s\ncame back as %q,\nwhich means\n%s", message, meant, content, have)
		}
	})
}
