package archive

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// envelope is what archives read of the envelope, a line for each value ([MS-XJRNL], 2.2; the form of Exchange since 2007).
func (r *Record) envelope() string {
	var b strings.Builder
	add := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	from := r.From
	if from == "" {
		from = "<>"
	}
	add("Sender", from)
	add("Subject", r.Subject)
	add("Message-Id", r.MessageID)
	for _, to := range r.Recipients {
		add(to.Field, to.Address.String())
	}
	return b.String()
}

// text says to people what is known, in German and English.
func (r *Record) text() string {
	var b strings.Builder
	for i, w := range []words{german, english} {
		if i > 0 {
			b.WriteString("\n----------------------------------------------------------------------\n\n")
		}
		r.write(&b, w)
	}
	return b.String()
}

// words are those of one language.
type words struct {
	title, received, from, to, subject, client, listener, decided, done, original, decrypted, found, key, none string
	directions                                                                                                 map[mail.Direction]string
	deMail                                                                                                     string
	verdicts                                                                                                   map[smime.Verdict]string
	layers                                                                                                     func(smime.Layer) string
}

var german = words{
	title: "Archivkopie %s der Nachricht %s, vom Gateway %s für das Archiv %s\n\n", received: "Angenommen", from: "Absender (Umschlag)", to: "Empfänger",
	subject: "Betreff", client: "Übergeben von", listener: "über", decided: "Regel", done: "Ausgeführt", original: "Wie eingegangen", decrypted: "Entschlüsselt",
	found: "Befund", key: "Nicht geöffnet, weil", none: "Die Nachricht wurde nicht auf Signaturen geprüft.", deMail: "Abgeholt als De-Mail",
	directions: map[mail.Direction]string{mail.Incoming: "Eingehende Nachricht", mail.Outgoing: "Ausgehende Nachricht", mail.Internal: "Interne Nachricht"},
	verdicts: map[smime.Verdict]string{
		smime.Valid: "gültig signiert", smime.Unsigned: "nicht signiert", smime.Partial: "nur zum Teil signiert", smime.Time: "Zeitpunkt der Signatur passt nicht",
		smime.Expired: "Zertifikat zu dieser Zeit nicht gültig", smime.Weak: "Algorithmus oder Schlüssel zu schwach", smime.Mismatch: "Zertifikat ist nicht das des Absenders",
		smime.Purpose: "Zertifikat nicht für Signaturen", smime.Untrusted: "Aussteller nicht vertrauenswürdig", smime.Revoked: "Zertifikat gesperrt", smime.Broken: "Signatur passt nicht zum Inhalt",
	},
	layers: func(l smime.Layer) string {
		return describe(l, "entschlüsselt", "nicht entschlüsselt", "ohne Schutz vor Veränderung", "signiert")
	},
}

var english = words{
	title: "Archive copy %s of message %s, by the gateway %s for the archive %s\n\n", received: "Accepted", from: "Sender (envelope)", to: "Recipient",
	subject: "Subject", client: "Handed over by", listener: "over", decided: "Rule", done: "Done", original: "As it came", decrypted: "Decrypted",
	found: "Found", key: "Not opened, since", none: "The message was not looked at for signatures.", deMail: "Fetched as De-Mail",
	directions: map[mail.Direction]string{mail.Incoming: "Incoming message", mail.Outgoing: "Outgoing message", mail.Internal: "Internal message"},
	verdicts: map[smime.Verdict]string{
		smime.Valid: "validly signed", smime.Unsigned: "not signed", smime.Partial: "signed in part only", smime.Time: "the time of the signature does not fit",
		smime.Expired: "certificate not valid at this time", smime.Weak: "algorithm or key too weak", smime.Mismatch: "certificate is not the sender's",
		smime.Purpose: "certificate not for signatures", smime.Untrusted: "issuer not trusted", smime.Revoked: "certificate revoked", smime.Broken: "signature does not fit the content",
	},
	layers: func(l smime.Layer) string {
		return describe(l, "decrypted", "not decrypted", "without protection against changes", "signed")
	},
}

// write says it in one language.
func (r *Record) write(b *strings.Builder, w words) {
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(b, w.title, r.ID, r.Message, r.Host, r.Archive)
	b.WriteString(w.directions[r.Direction] + "\n")
	if r.DeMail {
		b.WriteString(w.deMail + "\n")
	}
	add(w.received, r.Received.UTC().Format(time.RFC3339Nano))
	add(w.from, "<"+r.From+">")
	add(w.subject, r.Subject)
	add("Message-ID", r.MessageID)
	add(w.client, r.Client.line(w.listener))
	for _, to := range r.Recipients {
		add(w.to+" ("+to.Field+")", to.Address.String())
		add("  "+w.done, line(to.Done))
		add("  "+w.decided, line(to.Rule))
	}
	add(w.original, r.Original.line())
	if r.Decrypted != nil {
		add(w.decrypted, r.Decrypted.line())
	}
	r.writeFound(b, w, add)
}

// writeFound says what was found of signatures and encryption.
func (r *Record) writeFound(b *strings.Builder, w words, add func(name, value string)) {
	add(w.key, line(r.NotOpened))
	if r.SMIME == nil {
		b.WriteString(w.none + "\n")
		return
	}
	verdict := w.verdicts[r.SMIME.Verdict]
	if verdict == "" {
		verdict = string(r.SMIME.Verdict)
	} else {
		verdict += " (" + string(r.SMIME.Verdict) + ")"
	}
	add(w.found, verdict)
	for _, reason := range r.SMIME.Reasons {
		fmt.Fprintf(b, "  %s\n", line(reason))
	}
	for i, l := range r.SMIME.Layers {
		fmt.Fprintf(b, "  %d. %s\n", i+1, line(w.layers(l)))
		for _, s := range l.Signers {
			fmt.Fprintf(b, "     %s, %s, %s %s\n", line(s.Address), line(s.Subject), s.Verdict, line(strings.Join(s.Reasons, "; ")))
		}
	}
}

// describe says what a layer is.
func describe(l smime.Layer, decrypted, closed, bare, signed string) string {
	switch l.Type {
	case smime.TypeSigned:
		return signed + ": " + string(l.Verdict)
	case smime.TypeEnveloped, smime.TypeAuthEnveloped:
		text := l.Algorithm + ", " + closed
		if l.Decrypted {
			text = l.Algorithm + ", " + decrypted
		}
		if !l.Authenticated {
			text += ", " + bare
		}
		return text
	}
	return l.Type
}

// line says who it was.
func (c Client) line(over string) string {
	var words []string
	for _, s := range []string{c.User, c.Helo} {
		if s != "" {
			words = append(words, line(s))
		}
	}
	if c.Address.IsValid() {
		words = append(words, "["+c.Address.String()+"]")
	}
	if c.Listener != "" {
		words = append(words, over+" "+line(c.Listener))
	}
	if c.TLS != "" {
		words = append(words, line(c.TLS))
	}
	return strings.Join(words, " ")
}

// line says what the attachment measures.
func (p Part) line() string {
	return fmt.Sprintf("%s, %d bytes, SHA-256 %s", p.Name, p.Size, p.SHA256)
}
