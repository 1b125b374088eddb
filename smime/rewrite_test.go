package smime_test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// rewrite is something that programs between the sender and us do to a message.
type rewrite struct {
	name     string
	harmless bool // what is signed stays as it is for S/MIME (RFC 8551, 3.1.1): still valid
	text     bool // harmless for what we made so, but not for messages within, which keep their bytes
	change   func(message string) string
}

// body changes what stands after the header.
func body(f func(string) string) func(string) string {
	return func(m string) string {
		head, rest, _ := strings.Cut(m, "\r\n\r\n")
		return head + "\r\n\r\n" + f(rest)
	}
}

// header changes the outer header.
func header(f func(string) string) func(string) string {
	return func(m string) string {
		head, rest, _ := strings.Cut(m, "\r\n\r\n")
		return f(head+"\r\n") + "\r\n" + rest
	}
}

var (
	outerBoundary = regexp.MustCompile(`boundary="?([^";\r\n]+)`)
	blanksAtEnd   = regexp.MustCompile(`[ \t]+\r\n`)
	encodable     = regexp.MustCompile(`(?m)^[A-Z][a-z]+`)
)

// firstBoundary is that of the outermost multipart; empty where there is none.
func firstBoundary(m string) string {
	head, _, _ := strings.Cut(m, "\r\n\r\n")
	if b := outerBoundary.FindStringSubmatch(head); b != nil {
		return b[1]
	}
	return ""
}

func rewrites() []rewrite {
	return []rewrite{
		{"nothing", true, false, func(m string) string { return m }},
		{"line ends become LF", true, false, func(m string) string { return strings.ReplaceAll(m, "\r\n", "\n") }},
		{"Received added", true, false, func(m string) string { return "Received: from a by b;\r\n\tMon, 04 May 2026 12:00:01 +0000\r\n" + m }},
		{"outer fields folded anew", true, false, header(func(h string) string { return strings.Replace(h, "Subject: ", "Subject:\r\n ", 1) })},
		{"outer Subject tagged", true, false, header(func(h string) string { return strings.Replace(h, "Subject: ", "Subject: [list] ", 1) })},
		{"preamble added", true, false, func(m string) string {
			if head, rest, _ := strings.Cut(m, "\r\n\r\n"); firstBoundary(m) != "" {
				return head + "\r\n\r\nThis is MIME.\r\n" + rest
			}
			return m
		}},
		{"blank lines at the end", true, false, func(m string) string { return m + "\r\n\r\n" }},
		{"trailing blanks cut", true, true, body(func(s string) string { return blanksAtEnd.ReplaceAllString(s, "\r\n") })},
		{"\">\" before From", true, true, body(func(s string) string { return strings.ReplaceAll(s, "\r\nFrom ", "\r\n>From ") })},

		{"footer at the end", false, false, func(m string) string { return m + "\r\n-- \r\nThis is a list.\r\n" }},
		{"footer in a part of its own", false, false, func(m string) string {
			head, rest, _ := strings.Cut(m, "\r\n\r\n")
			outer, inner := "", ""
			for line := range strings.SplitSeq(strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head), "\r\n") {
				if strings.HasPrefix(strings.ToLower(line), "content-") {
					inner += line + "\r\n"
				} else {
					outer += line + "\r\n"
				}
			}
			return outer + "Content-Type: multipart/mixed; boundary=list\r\n\r\n--list\r\n" + inner + "\r\n" + rest + "\r\n--list\r\nContent-Type: text/plain\r\n\r\nThis is a list.\r\n--list--\r\n"
		}},
		{"footer in the signed text", false, false, func(m string) string {
			b := firstBoundary(m)
			if i := strings.Index(m, "\r\n--"+b+"\r\nContent-Type: application/pkcs7-signature"); b != "" && i > 0 {
				return m[:i] + "\r\n-- \r\nThis is a list." + m[i:]
			}
			return m
		}},
		{"words in quoted-printable", false, false, body(func(s string) string {
			first := true
			return encodable.ReplaceAllStringFunc(s, func(w string) string {
				if first && w != "Content" {
					first = false
					return "=" + strings.ToUpper(string("0123456789abcdef"[w[0]>>4])) + strings.ToUpper(string("0123456789abcdef"[w[0]&15])) + w[1:]
				}
				return w
			})
		})},
		{"a word is another", false, false, body(func(s string) string { return strings.Replace(s, "word", "sword", 1) })},
		{"a byte of base64 is another", false, false, body(func(s string) string { return strings.Replace(s, "\r\nM", "\r\nN", 1) })},
		{"an attachment is cut out", false, false, func(m string) string {
			parts := strings.Split(m, "\r\n--=-b1\r\n")
			if len(parts) < 3 {
				return m
			}
			return strings.Join(append(parts[:1], parts[2:]...), "\r\n--=-b1\r\n")
		}},
		{"another From is put in front", false, false, header(func(h string) string { return "From: mallory@evil.example\r\n" + h })},
		{"From is another", false, false, header(func(h string) string { return strings.Replace(h, "alice@", "mallory@", 1) })},
	}
}

// What is on the way between sender and us may do to a signed message what it likes, twice over: valid means that its
// content is what was signed, and by whom. What S/MIME is made to survive it survives.
func TestRewrittenOnTheWay(t *testing.T) {
	w := theWorld()
	rapid.Check(t, func(t *rapid.T) {
		message := "From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: A letter\r\nDate: Mon, 04 May 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n" +
			trees(2).Draw(t, "tree").render(1)
		o := smime.ProtectOptions{Time: now, Signers: w.alice.signers(), Opaque: rapid.Bool().Draw(t, "opaque")}
		if rapid.Bool().Draw(t, "headers") {
			o.Headers.Policy = smime.HCPBaseline
		}
		var sent strings.Builder
		if err := smime.Protect(&sent, text(message), o); err != nil {
			t.Fatal(err)
		}
		arrived, harmless := sent.String(), true
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			r := rapid.SampledFrom(rewrites()).Draw(t, "rewrite")
			harmless = harmless && r.harmless && !(r.text && strings.Contains(message, "message/rfc822"))
			arrived = crlf(r.change(arrived))
			if r.name == "line ends become LF" {
				arrived = strings.ReplaceAll(arrived, "\r\n", "\n")
				break
			}
		}
		opened, err := smime.Open(t.Context(), text(arrived), w.options())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		if opened.Verdict != smime.Valid {
			if harmless {
				t.Fatalf("%s: %q; %q became %q", opened.Verdict, opened.Reasons, sent.String(), arrived)
			}
			return
		}
		var got strings.Builder
		opened.WriteTo(&got)
		content := crlf(got.String())
		if o.Opaque {
			content = "From: x\r\n" + signedContent(content)
		}
		if have, meant := understood(content), understood(message); have != meant {
			t.Fatalf("valid, but\n%s\nis not what was signed:\n%s\n%q", have, meant, arrived)
		}
	})
}

// signedContent is what an opaque message shows, whatever stands behind its base64.
func signedContent(message string) string {
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	v := must(cms.NewVerifier(entity.NewBase64Reader(strings.NewReader(body)), cms.Limits{}))
	return string(must(io.ReadAll(v)))
}
