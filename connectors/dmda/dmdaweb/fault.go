package dmdaweb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// Kind names what goes wrong.
type Kind string

// The kinds of faults.
const (
	Slow          Kind = "slow"              // the answer takes its time
	Down          Kind = "down"              // a front door says 503, and passes nothing on
	Drop          Kind = "drop"              // the connection ends before the request is looked at
	DropUpload    Kind = "drop-upload"       // the connection ends in the midst of the request
	Lost          Kind = "lost"              // the request is carried out, and the connection ends before the answer
	Garbage       Kind = "garbage"           // the request is carried out, and the answer is no XML
	Page          Kind = "page"              // the request is carried out, and a page in HTML comes with status 200
	Hang          Kind = "hang"              // the request is carried out, and no answer comes
	Huge          Kind = "huge"              // the request is carried out, and the answer has no end
	Cut           Kind = "cut"               // the connection ends within the message that is fetched
	Keep          Kind = "keep"              // what is acknowledged stays, and the acknowledgement fails
	Unavailable   Kind = "unavailable"       // the service says that it is out of order
	Login         Kind = "login"             // nobody is let in
	Expired       Kind = "expired"           // the session has ended
	Rejected      Kind = "rejected"          // messages are refused for good
	NotEntitled   Kind = "not-entitled"      // the account may not send so
	DailyLimit    Kind = "daily-limit"       // no more messages today
	TooLarge      Kind = "too-large"         // messages are too large
	UnknownAt     Kind = "unknown-recipient" // every recipient is unknown, and the service says so at once
	ClosedAt      Kind = "closed-account"    // every recipient's account is closed, and the service says so at once
	UnknownNotice Kind = "unknown-notice"    // the message is taken, and a notification says that no recipient exists
	ClosedNotice  Kind = "closed-notice"     // the same: every account is closed
	MailboxFull   Kind = "mailbox-full"      // the same: every mailbox is full
	Malware       Kind = "malware"           // the same: the provider has found some
	MalwareThere  Kind = "malware-recipient" // the same of the recipient's provider, which tells sender and recipient
	faultPattern       = "KIND[=TIME][@OPERATION][*TIMES]"
)

// stage is when in a request a fault strikes.
type stage int

const (
	upload stage = iota // while it comes
	early               // when it was read
	refuse              // in place of what it asks for
	fated               // when a message is sent
	late                // in place of the answer
)

// kinds are all faults: their stage, the operation that they are about where it is one, the class of those that refuse, and how a message ends.
var kinds = map[Kind]struct {
	stage stage
	only  webservice.Operation
	class webservice.Class
	fate  dmda.Fate
}{
	Slow: {stage: early}, Down: {stage: early}, Drop: {stage: early}, DropUpload: {stage: upload},
	Lost: {stage: late}, Garbage: {stage: late}, Page: {stage: late}, Hang: {stage: late}, Huge: {stage: late}, Cut: {stage: late, only: webservice.OpFetch},
	Keep:        {stage: refuse, only: webservice.OpAcknowledge, class: webservice.Unavailable},
	Unavailable: {stage: refuse, only: "", class: webservice.Unavailable}, Login: {stage: refuse, only: "", class: webservice.LoginFailed}, Expired: {stage: refuse, only: "", class: webservice.SessionExpired},
	Rejected: {stage: refuse, only: webservice.OpSubmit, class: webservice.Rejected}, NotEntitled: {stage: refuse, only: webservice.OpSubmit, class: webservice.NotEntitled},
	DailyLimit: {stage: refuse, only: webservice.OpSubmit, class: webservice.OverQuota}, TooLarge: {stage: refuse, only: webservice.OpSubmit, class: webservice.TooLarge},
	UnknownNotice: {stage: fated, only: webservice.OpSubmit, fate: dmda.Nowhere}, ClosedNotice: {stage: fated, only: webservice.OpSubmit, fate: dmda.Shut},
	MailboxFull: {stage: fated, only: webservice.OpSubmit, fate: dmda.Full}, Malware: {stage: fated, only: webservice.OpSubmit, fate: dmda.Infected},
	MalwareThere: {stage: fated, only: webservice.OpSubmit, fate: dmda.InfectedThere},
	UnknownAt:    {stage: refuse, only: webservice.OpSubmit, class: webservice.NoSuchAddress}, ClosedAt: {stage: refuse, only: webservice.OpSubmit, class: webservice.NoSuchAddress},
}

// Kinds are all kinds of faults, by the alphabet.
func Kinds() []Kind {
	var out []Kind
	for k := range kinds {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Fault is something that goes wrong with requests that come.
type Fault struct {
	Kind      Kind
	Operation webservice.Operation // of these alone; empty: of all that it can be about
	Times     int                  // so often, and then no more; zero: until the faults are set anew
	Delay     time.Duration        // of Slow
}

// ParseFault reads one as an administrator writes it: lost, lost@submit, lost@submit*1, slow=5s.
func ParseFault(s string) (Fault, error) {
	f := Fault{}
	rest, times, counted := strings.Cut(s, "*")
	rest, operation, one := strings.Cut(rest, "@")
	kind, delay, timed := strings.Cut(rest, "=")
	f.Kind = Kind(kind)
	known, ok := kinds[f.Kind]
	if !ok {
		var names []string
		for _, k := range Kinds() {
			names = append(names, string(k))
		}
		return Fault{}, fmt.Errorf("a fault is written as %s, and KIND is one of %s", faultPattern, strings.Join(names, ", "))
	}
	if one {
		f.Operation = webservice.Operation(operation)
		if !slices.Contains(webservice.Operations(), f.Operation) || known.only != "" && known.only != f.Operation {
			return Fault{}, fmt.Errorf("the fault %s cannot be about the operation that is named behind @", f.Kind)
		}
	}
	var err error
	if counted {
		if f.Times, err = strconv.Atoi(times); err != nil || f.Times < 1 {
			return Fault{}, fmt.Errorf("the fault %s: behind * stands how often, as in *1", f.Kind)
		}
	}
	if timed != (f.Kind == Slow) {
		return Fault{}, fmt.Errorf("a time belongs to slow, as in slow=5s, and to no other fault")
	}
	if timed {
		if f.Delay, err = time.ParseDuration(delay); err != nil || f.Delay <= 0 || f.Delay > time.Hour {
			return Fault{}, fmt.Errorf("the time of slow is one such as 5s or 2m, up to 1h")
		}
	}
	return f, nil
}

// String is the fault as ParseFault reads it.
func (f Fault) String() string {
	s := string(f.Kind)
	if f.Delay > 0 {
		s += "=" + f.Delay.String()
	}
	if f.Operation != "" {
		s += "@" + string(f.Operation)
	}
	if f.Times > 0 {
		s += "*" + strconv.Itoa(f.Times)
	}
	return s
}

// SetFaults puts faults in place of those before; none: all goes well. Of several that a request meets at the same time the first counts.
func (h *Handler) SetFaults(faults ...Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = slices.Clone(faults)
}

// Faults are those that are left.
func (h *Handler) Faults() []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

// strike finds the fault that a request meets at a stage, and counts it.
func (x *exchange) strike(at stage, op webservice.Operation) (Fault, bool) {
	h := x.h
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, f := range h.faults {
		k := kinds[f.Kind]
		if k.stage != at || k.only != "" && k.only != op || f.Operation != "" && f.Operation != op || at == late && op == webservice.OpLogin && f.Operation == "" {
			continue
		}
		if f.Times == 1 {
			h.faults = slices.Delete(slices.Clone(h.faults), i, i+1)
		} else if f.Times > 1 {
			h.faults[i].Times--
		}
		x.event.Fault = f.Kind
		return f, true
	}
	return Fault{}, false
}
