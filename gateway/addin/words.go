package addin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/explain"
)

// problem is an answer that is none.
type problem struct {
	status int
	ProblemText
	retry time.Duration
}

func newProblem(status int, code, de, en string) *problem {
	return &problem{status: status, ProblemText: ProblemText{Code: code, De: de, En: en}}
}

// What is answered where there is no answer. Nothing in it hangs on who asks about whom.
var (
	badRequest        = newProblem(http.StatusBadRequest, CodeBadRequest, "Die Anfrage des Add-ins ist fehlerhaft. Bitte starten Sie Outlook neu.", "The add-in's request is faulty. Please restart Outlook.")
	tooManyRecipients = newProblem(http.StatusBadRequest, CodeBadRequest, "So viele Empfänger auf einmal zeigt das Add-in nicht an. Die Nachricht können Sie trotzdem senden.", "The add-in does not show so many recipients at once. You can send the message all the same.")
	wrongMethod       = newProblem(http.StatusMethodNotAllowed, CodeBadRequest, badRequest.De, badRequest.En)
	wrongType         = newProblem(http.StatusUnsupportedMediaType, CodeBadRequest, badRequest.De, badRequest.En)
	tooLarge          = newProblem(http.StatusRequestEntityTooLarge, CodeBadRequest, tooManyRecipients.De, tooManyRecipients.En)
	notFound          = newProblem(http.StatusNotFound, CodeNotFound, "Hier ist nichts.", "There is nothing here.")
	misdirected       = newProblem(http.StatusMisdirectedRequest, CodeMisdirected, "Das Add-in ist unter einer anderen Adresse eingerichtet. Bitte wenden Sie sich an Ihren Administrator.", "The add-in is set up under another address. Please ask your administrator.")
	unauthorized      = newProblem(http.StatusUnauthorized, CodeUnauthorized, "Sie konnten nicht erkannt werden. Bitte starten Sie Outlook neu; hilft das nicht, wenden Sie sich an Ihren Administrator.", "You could not be recognised. Please restart Outlook; if that does not help, ask your administrator.")
	notYours          = newProblem(http.StatusForbidden, CodeForbidden, "Für diese Absenderadresse kann das Add-in nichts anzeigen: Sie ist nicht als Ihre bekannt. Senden können Sie trotzdem.", "The add-in cannot show anything for this sender address: it is not known as yours. You can send all the same.")
	tooManyStrays     = newProblem(http.StatusTooManyRequests, CodeTooMany, "Zu viele Anfragen. Bitte warten Sie eine Minute.", "Too many requests. Please wait a minute.").after(time.Minute)
	tooMany           = newProblem(http.StatusTooManyRequests, CodeTooMany, "Das waren viele Anfragen in kurzer Zeit. Die Anzeige kommt später wieder; senden können Sie trotzdem.", "That was a lot of requests in a short time. The display will come back later; you can send all the same.")
	unavailable       = newProblem(http.StatusServiceUnavailable, CodeUnavailable, "Die Auskunft ist gerade nicht zu bekommen. Senden können Sie trotzdem: Die Regeln Ihres Unternehmens gelten auch ohne Anzeige.", "This cannot be told right now. You can send all the same: your company's rules hold without the display.").after(10 * time.Second)
	internalFault     = newProblem(http.StatusInternalServerError, CodeInternal, "Im Gateway ist ein Fehler aufgetreten. Senden können Sie trotzdem.", "There was a fault in the gateway. You can send all the same.")
)

// after is p with a time to wait.
func (p *problem) after(d time.Duration) *problem {
	q := *p
	q.retry = d
	return &q
}

// with is p with the reference of what the log says.
func (p *problem) with(ref string) *problem {
	q := *p
	q.De += " (" + ref + ")"
	q.En += " (" + ref + ")"
	return &q
}

// fail answers with a problem.
func (h *handler) fail(w http.ResponseWriter, p *problem) {
	header := w.Header()
	switch {
	case p.status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer") // RFC 6750, 3
	case p.status == http.StatusMisdirectedRequest, p.status == http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close")
	}
	if p.retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	text, _ := json.Marshal(Problem{p.ProblemText}) // strings alone: it cannot fail
	answer(w, p.status, text)
}

// tooMany answers somebody who asks too often.
func (h *handler) tooMany(w http.ResponseWriter, wait time.Duration) { h.fail(w, tooMany.after(wait)) }

// answer writes JSON that is kept by nobody.
func answer(w http.ResponseWriter, status int, text []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text)
}

// answered is an answer as the pages get it. It has what a sender would learn by sending: no certificate, no line of the configuration, and of rules only the name of one that refuses, as the refusal has it.
func answered(a explain.Answer) Answer {
	out := Answer{Recipients: []Recipient{}}
	all := !slices.ContainsFunc(a.Recipients, func(r explain.Recipient) bool { return r.Refused != "" })
	for _, r := range a.Recipients {
		if all { // what is wrong is wrong with the message, or with its sender
			r.Refused = a.Refused
		}
		out.Recipients = append(out.Recipients, recipient(r, a.Refused != ""))
	}
	return out
}

// recipient is what one recipient's copy gets. others is set where one recipient at least is refused: then nobody gets anything.
func recipient(r explain.Recipient, others bool) Recipient {
	out := Recipient{
		To: r.To, Way: r.Way, Sign: r.Sign == explain.Yes, Encrypt: r.Encrypt == explain.Yes, TLS: r.TLS,
		Asks: r.Asks, Holds: r.Holds != "", Refused: r.Refused != "", Keys: []Key{},
	}
	for _, k := range r.Keys {
		out.Keys = append(out.Keys, Key{string(k.Key), k.Value, kindOf(k.By)})
	}
	if out.Refused {
		out.Way = ""
	}
	out.Text = sentence(out, r, others)
	return out
}

// kindOf is what decided, without its name: that of a rule may tell more than its sender should know.
func kindOf(by string) string {
	word, _, _ := strings.Cut(by, " ")
	switch word {
	case "rule", "recipient", "sender", "company", "factory", "flag", "earlier", "kind":
		return word
	}
	return "rule"
}

// sentence says what happens to a copy.
func sentence(r Recipient, from explain.Recipient, others bool) Text {
	switch {
	case r.Refused:
		de, en := from.Said.DE, from.Said.EN
		if de == "" || en == "" {
			de, en = from.Refused, from.Refused
		}
		return Text{De: "So würde Ihre Nachricht zurückkommen: " + de, En: "As it is, your message would come back: " + en}
	case r.Asks:
		return Text{
			De: "Die Nachricht muss verschlüsselt werden, und vom Empfänger ist kein Zertifikat bekannt. Er wird um eine signierte Nachricht gebeten; bis dahin wartet Ihre.",
			En: "The message must be encrypted, and no certificate of the recipient is known. The recipient is asked for a signed message; yours waits until then.",
		}
	case r.Holds:
		return Text{
			De: "Die Nachricht wartet, bis sie geschützt werden kann oder jemand darüber entschieden hat, und wird dann gesendet.",
			En: "The message waits until it can be protected, or somebody has decided on it, and is then sent.",
		}
	}
	t := protection(r)
	if others {
		t.De += " Sie würde aber an niemanden gesendet, solange sie an einen anderen Empfänger nicht gesendet werden kann."
		t.En += " But it would be sent to nobody as long as it cannot be sent to another recipient."
	}
	return t
}

// protection says how a copy is protected.
func protection(r Recipient) Text {
	var t Text
	switch {
	case r.Way == explain.Internal && !r.Sign && !r.Encrypt:
		return Text{De: "Der Empfänger ist im Unternehmen.", En: "The recipient is in the company."}
	case r.Sign && r.Encrypt:
		t = Text{De: "Die Nachricht wird signiert und verschlüsselt.", En: "The message will be signed and encrypted."}
	case r.Encrypt:
		t = Text{De: "Die Nachricht wird verschlüsselt.", En: "The message will be encrypted."}
	case r.Sign:
		t = Text{De: "Die Nachricht wird signiert, nicht verschlüsselt.", En: "The message will be signed, not encrypted."}
	case r.Way != explain.DeMail:
		t = Text{De: "Die Nachricht wird weder signiert noch verschlüsselt.", En: "The message will be neither signed nor encrypted."}
	}
	switch {
	case r.Way == explain.DeMail:
		t.De, t.En = strings.TrimSpace("Sie geht als De-Mail. "+t.De), strings.TrimSpace("It goes as De-Mail. "+t.En)
	case r.TLS == "verified":
		t.De += " Sie geht nur über Verbindungen, deren Gegenstelle sich ausweist."
		t.En += " It goes only over connections to servers that prove who they are."
	case r.TLS == "required":
		t.De += " Sie geht nur über verschlüsselte Verbindungen."
		t.En += " It goes only over encrypted connections."
	}
	return t
}
