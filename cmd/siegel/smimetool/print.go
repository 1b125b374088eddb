package smimetool

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime"
)

// maxText is the longest text of a stranger in a line, in bytes.
const maxText = 200

func line(s string) string { return safetext.Line(s, maxText) }

// printText writes a report for people.
func printText(w io.Writer, r smime.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "verdict: %s\n", r.Verdict)
	reasons(&b, "  ", r.Reasons)
	for i, l := range r.Layers {
		fmt.Fprintf(&b, "%d. %s\n", i+1, headline(l))
		reasons(&b, "   ", l.Reasons)
		for _, s := range l.Signers {
			signer(&b, s)
		}
		for _, to := range l.Recipients {
			fmt.Fprintf(&b, "   for %s\n", recipient(to))
		}
	}
	headers(&b, r.Headers)
	_, err := io.WriteString(w, b.String())
	return err
}

// headers says what became of protected header fields (RFC 9788).
func headers(b *strings.Builder, h *smime.HeaderReport) {
	if h == nil {
		return
	}
	text := "protected header fields"
	switch {
	case h.Applied:
		text += ", which stand in the place of those outside"
	case h.Reason != "":
		text += " that do not count: " + line(h.Reason)
	}
	fmt.Fprintln(b, text)
	for _, d := range h.Differences {
		fmt.Fprintf(b, "   %s: %s\n", line(d.Field), line(d.Kind))
		if d.Outer != "" {
			fmt.Fprintf(b, "     outside: %s\n", line(d.Outer))
		}
		if d.Protected != "" {
			fmt.Fprintf(b, "     protected: %s\n", line(d.Protected))
		}
	}
}

func reasons(b *strings.Builder, indent string, all []string) {
	for _, r := range all {
		fmt.Fprintf(b, "%s%s\n", indent, safetext.Line(r, 0))
	}
}

// headline is what a layer is.
func headline(l smime.Layer) string {
	switch l.Type {
	case smime.TypeSigned:
		text := fmt.Sprintf("signed (%s): %s", l.Form, l.Verdict)
		if l.Errant {
			text += ", beside other content"
		}
		return text
	case smime.TypeEnveloped, smime.TypeAuthEnveloped:
		text := "encrypted with " + line(l.Algorithm)
		if l.Algorithm == "" {
			text = "encrypted, in a way that cannot be read"
		}
		if !l.Authenticated {
			text += ", without integrity"
		}
		if !l.Decrypted {
			return text + ", not decrypted"
		}
		return text + ", decrypted"
	case smime.TypeCertificates:
		return "certificates alone, and no signature"
	}
	return l.Type
}

func signer(b *strings.Builder, s smime.SignerVerdict) {
	who := line(s.Address)
	if who == "" {
		who = "nobody named"
	}
	fmt.Fprintf(b, "   %s: %s\n", who, s.Verdict)
	if s.Serial != "" {
		fmt.Fprintf(b, "     certificate %s, issued by %s, serial %s\n", line(s.Subject), line(s.Issuer), line(s.Serial))
	}
	text := "     " + line(s.Algorithm)
	if !s.SignedAt.IsZero() {
		text += ", signed " + s.SignedAt.UTC().Format(time.RFC3339) + " by the signer's word"
	}
	fmt.Fprintln(b, text)
	reasons(b, "     ", s.Reasons)
}

func recipient(r smime.Recipient) string {
	var parts []string
	if r.Serial != "" {
		parts = append(parts, "serial "+line(r.Serial)+" of "+line(r.Issuer))
	}
	if r.SubjectKeyID != "" {
		parts = append(parts, "key identifier "+line(r.SubjectKeyID))
	}
	if r.Algorithm != "" {
		parts = append(parts, "by "+line(r.Algorithm))
	}
	return strings.Join(parts, ", ")
}
