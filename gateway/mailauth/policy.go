package mailauth

import (
	"errors"
	"fmt"
	"slices"
)

// Policy says what the results lead to. An empty field is Nothing. A DMARC pass outweighs what SPF and DKIM say
// by themselves: the author's own domain has confirmed the message, and forwarding is what breaks SPF.
type Policy struct {
	SPFFail       Disposition // the client may not send for the domain
	SPFSoftFail   Disposition // it probably may not
	SPFTempError  Disposition
	SPFPermError  Disposition
	DKIMFail      Disposition // there are signatures, and none passes. RFC 6376, 6.1 advises Nothing
	DKIMTempError Disposition // as DKIMFail, but one may yet
	// DMARCFail may be Published: then it is done what the author's domain asks for, and Mark where that asks for
	// nothing.
	DMARCFail      Disposition
	DMARCTempError Disposition
	// BadFrom is for messages without exactly one From field that can be read, whose author nobody can tell.
	BadFrom Disposition
}

// DefaultPolicy does what the author's domain asks for, refuses mail without an author, has what DNS leaves open
// for now sent again, and marks the rest.
func DefaultPolicy() Policy {
	return Policy{
		SPFFail: Mark, SPFSoftFail: Mark, DMARCFail: Published, DMARCTempError: Defer, BadFrom: Reject,
	}
}

// ErrPolicy is the error of [Policy.Validate].
var ErrPolicy = errors.New("mailauth: unknown disposition; write none, mark, quarantine, temporary or reject")

// Validate reports a field whose value is none of the dispositions that it may have.
func (p Policy) Validate() error {
	for name, d := range map[string]Disposition{
		"SPFFail": p.SPFFail, "SPFSoftFail": p.SPFSoftFail, "SPFTempError": p.SPFTempError, "SPFPermError": p.SPFPermError,
		"DKIMFail": p.DKIMFail, "DKIMTempError": p.DKIMTempError, "DMARCTempError": p.DMARCTempError, "BadFrom": p.BadFrom,
	} {
		if d != "" && !d.Valid() {
			return fmt.Errorf("%w: %s is %.40q", ErrPolicy, name, d)
		}
	}
	if d := p.DMARCFail; d != "" && d != Published && !d.Valid() {
		return fmt.Errorf("%w, or published: DMARCFail is %.40q", ErrPolicy, d)
	}
	return nil
}

// Valid reports whether d is something that can be done with a message.
func (d Disposition) Valid() bool { return d.severity() >= 0 }

// Exceeds reports whether d is harder on a message than other.
func (d Disposition) Exceeds(other Disposition) bool { return d.severity() > other.severity() }

// severity orders dispositions; what is none is -1.
func (d Disposition) severity() int {
	return slices.Index([]Disposition{Nothing, Mark, Quarantine, Defer, Reject}, d)
}

// Action is what is to be done with a message, and why. Where that is to refuse it, Code and Enhanced are those of
// the reply (RFC 7372), and Text can be its text.
type Action struct {
	Disposition Disposition
	Method      string // that decided: "spf", "dkim", "dmarc", "from"; empty where nothing is to be done
	Code        int    // 550 for Reject, 451 for Defer, else 0
	Enhanced    string // "5.7.23"
	Text        string // for the record and the log: ASCII, no line breaks; also where the message is not refused
	Domain      string // that Text names; may be empty
	Reason      string // why something could not be checked, in Text
}

// Decide is what p asks for a message with these results: the hardest of what it asks for each of them. It is
// pure: the same results lead to the same action.
func (p Policy) Decide(r Result) Action {
	worst := Action{Disposition: Nothing}
	for _, a := range []Action{p.onFrom(r.DMARC), p.onDMARC(r), p.onSPF(r), p.onDKIM(r)} {
		if a.Disposition.severity() > worst.Disposition.severity() {
			worst = a
		}
	}
	return worst
}

// action makes an Action with the reply that a refusal for good or for now gives.
func action(method string, d Disposition, permanent, temporary, text string) Action {
	a := Action{Disposition: d, Method: method, Text: text}
	switch d {
	case Reject:
		a.Code, a.Enhanced = 550, "5."+permanent
	case Defer:
		a.Code, a.Enhanced = 451, "4."+temporary
	case Nothing, "":
		return Action{Disposition: Nothing}
	}
	return a
}

// about is a with what Text is made of.
func (a Action) about(domain, reason string) Action {
	if a.Disposition != Nothing {
		a.Domain, a.Reason = domain, reason
	}
	return a
}

func (p Policy) onFrom(d DMARC) Action {
	if !d.BadFrom {
		return Action{}
	}
	return action("from", p.BadFrom, "7.1", "7.1", "the author of the message cannot be told: "+d.Reason).about("", d.Reason) // RFC 7489, 6.6.1
}

func (p Policy) onDMARC(r Result) Action {
	d := r.DMARC
	switch d.Status {
	case TempError:
		return action("dmarc", p.DMARCTempError, "4.3", "4.3", fmt.Sprintf("the DMARC policy of %s cannot be applied: %s", d.Domain, d.Reason)).about(d.Domain, d.Reason)
	case Fail:
		what := p.DMARCFail
		if what == Published {
			what = d.Apply
			if what == Nothing {
				what = Mark
			}
		}
		code := dmarcCode(r)
		return action("dmarc", what, code, code, fmt.Sprintf("neither SPF nor DKIM confirms that the message comes from %s, whose DMARC policy is %s", d.Domain, d.Policy)).about(d.Domain, "")
	}
	return Action{}
}

// dmarcCode is the detail of RFC 7372, 3 for a message that DMARC refutes.
func dmarcCode(r Result) string {
	signed := slices.ContainsFunc(r.DKIM, func(k DKIM) bool { return k.Status == Pass })
	switch {
	case signed:
		return "7.22" // by somebody else than the author
	case r.SPF.Status == Pass:
		return "7.20" // no signature passes
	}
	return "7.26" // neither method passes
}

func (p Policy) onSPF(r Result) Action {
	if r.DMARC.Status == Pass {
		return Action{}
	}
	s := r.SPF
	refuted := fmt.Sprintf("the SPF record of %s does not permit mail from %s", s.Domain, s.Client)
	unclear := fmt.Sprintf("the SPF record of %s cannot be checked: %s", s.Domain, s.Reason)
	switch s.Status {
	case Fail:
		return action("spf", p.SPFFail, "7.23", "7.23", refuted).about(s.Domain, "")
	case SoftFail:
		return action("spf", p.SPFSoftFail, "7.23", "7.23", refuted).about(s.Domain, "")
	case TempError:
		return action("spf", p.SPFTempError, "7.24", "7.24", unclear).about(s.Domain, s.Reason)
	case PermError:
		return action("spf", p.SPFPermError, "7.24", "7.24", unclear).about(s.Domain, s.Reason)
	}
	return Action{}
}

// onDKIM looks at signatures of keys that are not being tested (RFC 6376, 3.6.1).
func (p Policy) onDKIM(r Result) Action {
	var last DKIM
	open := false
	for _, k := range r.DKIM {
		switch {
		case k.Status == Pass:
			return Action{}
		case k.Testing:
			continue
		case !open:
			last, open = k, k.Status == TempError
		}
	}
	if r.DMARC.Status == Pass || last.Status == "" {
		return Action{}
	}
	text := "no DKIM signature of the message can be accepted: " + last.Reason
	if open {
		return action("dkim", p.DKIMTempError, "7.20", "7.5", text).about("", last.Reason) // RFC 6376, 6.2
	}
	return action("dkim", p.DKIMFail, "7.20", "7.20", text).about("", last.Reason)
}
