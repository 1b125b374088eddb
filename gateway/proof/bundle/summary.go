package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// maxLine bounds what a stranger wrote, on a line.
const maxLine = 500

// text is a summary that is being written.
type text struct {
	bytes.Buffer
	language
}

// line writes one, whose texts are safe to show.
func (t *text) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = safetext.Line(s, maxLine)
		}
	}
	fmt.Fprintf(t, format+"\n", args...)
}

// field writes a name and a value, where there is one.
func (t *text) field(name, value string) {
	if value != "" {
		t.line("%-22s %s", name+":", value)
	}
}

func (t *text) at(name string, at *time.Time) {
	if at != nil {
		t.field(name, when(*at))
	}
}

// when is a time in the form that both languages read.
func when(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// summary tells a person what is in the bundle. It says nothing that depends on when it is written.
func summary(m *Message, l language) []byte {
	t := &text{language: l}
	t.line("%s\n%s\n", l.title, strings.Repeat("=", len([]rune(l.title))))
	t.message(m)
	t.line("\n%s\n", l.cameTitle)
	if len(m.Came) == 0 {
		t.line("%s", l.nothing)
	}
	for i, c := range m.Came {
		t.came(i+1, c)
	}
	t.line("\n%s\n", l.stepsTitle)
	t.line("%s  %s", when(m.Began), l.began)
	for _, s := range m.Steps {
		t.step(s)
	}
	t.WriteString("\n" + l.check)
	for _, c := range m.Came {
		if c.XML != "" {
			t.line("  xmlsec1 --verify --trusted-pem %s %s", l.anchor, c.XML)
		}
	}
	t.WriteString("\n" + l.stranger)
	return t.Bytes()
}

// message writes what was sent, and what became of it.
func (t *text) message(m *Message) {
	t.field(t.key, m.Key)
	t.field(t.sender, m.Sender)
	t.field(t.author, m.Author)
	for _, r := range m.Recipients {
		value := r.Address
		if r.Name != "" {
			value = r.Name + " <" + r.Address + ">"
		}
		t.field(map[string]string{"to": t.to, "cc": t.cc, "bcc": t.bcc}[r.As], value)
	}
	t.field(t.subject, m.Subject)
	t.field("Message-ID", m.MessageID)
	t.field(t.options, t.list(m.Options))
	t.at(t.accepted, m.Accepted)
	t.field(t.state, t.states[m.State])
	t.at(t.taken, m.Taken)
	t.field(t.receipt, m.ReceiptID)
	t.at(t.receiptTime, m.ReceiptTime)
	t.field(t.file, m.Content.Name)
	t.field("SHA-256", m.Content.SHA256)
	switch awaiting := t.list(m.Awaiting); {
	case m.Waived:
		t.field(t.awaiting, t.waived)
	case awaiting != "":
		t.field(t.awaiting, awaiting)
	}
}

// list names options.
func (t *text) list(names []string) string {
	out := slices.Clone(names)
	for i, n := range out {
		if word, ok := t.words[n]; ok {
			out[i] = word
		}
	}
	return strings.Join(out, ", ")
}

// came writes what is known of a confirmation.
func (t *text) came(n int, c Came) {
	kind, ok := t.kinds[c.Kind]
	if !ok {
		kind = c.Kind
	}
	t.line("%d. %s (%s)", n, kind, c.Content.Name)
	t.line("   %s %s", t.fetched, when(c.Fetched))
	for _, v := range c.Verdicts {
		t.verdict(v)
	}
	switch c.SameBody {
	case "yes":
		t.line("   %s", t.same)
	case "no":
		t.line("   %s", t.other)
	}
	if !c.Counts {
		t.line("   %s", t.noProof)
	}
}

func (t *text) verdict(v Verdict) {
	if v.Proven {
		t.line("   %s: %s", when(v.At), t.proven)
	} else {
		t.line("   %s: %s (%s): %s", when(v.At), t.unproven, v.State, v.Reason)
	}
	if v.Issued != nil {
		t.line("   %s %s", t.issued, when(*v.Issued))
	}
	if v.Delivered != nil {
		t.line("   %s %s", t.delivered, when(*v.Delivered))
	}
	for _, c := range v.Certificates {
		t.line("   %s %s", t.certificate, c.Name)
	}
	for _, r := range v.Revocation {
		t.line("   %s %s (%s)", t.revocation, r.Name, r.From)
	}
}

func (t *text) step(s Step) {
	line := when(s.Time) + "  " + t.states[s.State]
	if s.Count > 1 && s.Last != nil {
		line += fmt.Sprintf(" (%d ×, %s %s)", s.Count, t.until, when(*s.Last))
	}
	for _, more := range []string{s.Class, s.Text, s.Who} {
		if more != "" {
			line += "; " + more
		}
	}
	t.line("%s", line)
}

// language is the words of a summary.
type language struct {
	code                                                                                                       string
	title, cameTitle, stepsTitle, nothing, began, until                                                        string
	key, sender, author, to, cc, bcc, subject, options, accepted, state, taken, receipt, receiptTime, file     string
	awaiting, waived                                                                                           string
	fetched, issued, delivered, same, other, noProof, proven, unproven, certificate, revocation, check, anchor string
	stranger                                                                                                   string
	states                                                                                                     map[proof.State]string
	words, kinds                                                                                               map[string]string
}

// languages are those that summaries are written in.
func languages() []language { return []language{german(), english()} }

func german() language {
	return language{
		code: "de", title: "Nachweis zu einer De-Mail", cameTitle: "Was dazu eingegangen ist", stepsTitle: "Was geschehen ist", nothing: "Nichts.",
		began: "die Übergabe an den Anbieter beginnt", until: "zuletzt",
		key: "Kennung (private-id)", sender: "Absender", author: "im Unternehmen", to: "An", cc: "Kopie an", bcc: "Blindkopie an", subject: "Betreff", options: "Versandarten",
		accepted: "Angenommen", state: "Stand", taken: "Übernahme bekannt", receipt: "Kennung beim Anbieter", receiptTime: "Zeit beim Anbieter", file: "Nachricht", awaiting: "Noch erwartet",
		waived:  "nichts mehr, so hat es ein Mensch entschieden",
		fetched: "abgeholt", issued: "ausgestellt", delivered: "im Postfach des Empfängers abgelegt", same: "Bestätigt ist genau der Inhalt, der gesendet wurde, Byte für Byte.",
		other: "ACHTUNG: Bestätigt ist ein anderer Inhalt als der, der gesendet wurde.", noProof: "Belegt nicht, was verlangt war.",
		proven: "bewiesen: alle Signaturen passen, von einem De-Mail-Anbieter", unproven: "nicht bewiesen", certificate: "Zertifikat", revocation: "Auskunft über Sperrungen", anchor: "STAMMZERTIFIKAT.pem",
		check: "So wird geprüft\n\n  sha256sum -c SHA256SUMS\n  openssl ts -verify -data SHA256SUMS -in timestamp.tsr -CAfile ZEITSTEMPEL-CA.pem   (wo es timestamp.tsr gibt)\n",
		stranger: "Von einem De-Mail-Anbieter stammen die Dateien unter confirmations/, soweit ihre Signaturen das zeigen. Alles Übrige hat das Gateway des\n" +
			"Unternehmens aufgezeichnet. Betreff, Namen und Fehlertexte sind, was andere geschrieben haben.\n",
		states: map[proof.State]string{proof.Trying: "wird übergeben", proof.Taken: "vom Anbieter übernommen", proof.Refused: "nicht übernommen",
			proof.Doubtful: "unklar, ob der Anbieter sie übernommen hat", proof.Waiting: "nicht übernommen, wird wieder versucht"},
		words: map[string]string{"dispatch": "Versandbestätigung", "receipt": "Eingangsbestätigung", "retrieve": "Abholbestätigung", "authoritative": "absenderbestätigt", "private": "persönlich"},
		kinds: map[string]string{"confirmation of dispatch": "Versandbestätigung", "confirmation of receipt": "Eingangsbestätigung", "confirmation of retrieve": "Abholbestätigung",
			"notification": "Meldung", "malware-notification": "Meldung wegen Schadsoftware", "malware-acknowledge": "Bestätigung wegen Schadsoftware"},
	}
}

func english() language {
	return language{
		code: "en", title: "Evidence of a De-Mail", cameTitle: "What came of it", stepsTitle: "What happened", nothing: "Nothing.",
		began: "it is about to be handed to the provider", until: "the last time",
		key: "Key (private-id)", sender: "Sender", author: "in the company", to: "To", cc: "Cc", bcc: "Bcc", subject: "Subject", options: "Options",
		accepted: "Accepted", state: "State", taken: "Known to be taken", receipt: "Id at the provider", receiptTime: "Time at the provider", file: "Message", awaiting: "Still awaited",
		waived:  "nothing any more, as a person has decided",
		fetched: "fetched", issued: "issued", delivered: "in the recipient's mailbox", same: "What is confirmed is exactly the body that was sent, byte for byte.",
		other: "ATTENTION: what is confirmed is another body than the one that was sent.", noProof: "It does not prove what was asked for.",
		proven: "proven: all signatures fit, by a De-Mail provider", unproven: "not proven", certificate: "certificate", revocation: "answer about revocation", anchor: "ROOT.pem",
		check: "How it is checked\n\n  sha256sum -c SHA256SUMS\n  openssl ts -verify -data SHA256SUMS -in timestamp.tsr -CAfile TIMESTAMP-CA.pem   (where there is timestamp.tsr)\n",
		stranger: "The files below confirmations/ are a De-Mail provider's, as far as their signatures show it. All else was recorded by the company's\n" +
			"gateway. Subject, names and texts of errors are what others wrote.\n",
		states: map[proof.State]string{proof.Trying: "being handed over", proof.Taken: "taken by the provider", proof.Refused: "not taken",
			proof.Doubtful: "nobody knows whether the provider has it", proof.Waiting: "not taken, and tried again"},
		words: map[string]string{"dispatch": "confirmation of dispatch", "receipt": "confirmation of receipt", "retrieve": "confirmation of retrieve", "authoritative": "authoritative", "private": "private"},
		kinds: map[string]string{"malware-notification": "notification of malware", "malware-acknowledge": "confirmation of malware"},
	}
}
