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

// The kinds of faults; About tells what each does.
const (
	Slow          Kind = "slow"
	Down          Kind = "down"
	Drop          Kind = "drop"
	DropUpload    Kind = "drop-upload"
	Lost          Kind = "lost"
	Garbage       Kind = "garbage"
	Page          Kind = "page"
	Hang          Kind = "hang"
	Huge          Kind = "huge"
	Cut           Kind = "cut"
	Keep          Kind = "keep"
	Unavailable   Kind = "unavailable"
	Login         Kind = "login"
	Expired       Kind = "expired"
	Rejected      Kind = "rejected"
	NotEntitled   Kind = "not-entitled"
	DailyLimit    Kind = "daily-limit"
	TooLarge      Kind = "too-large"
	UnknownAt     Kind = "unknown-recipient"
	ClosedAt      Kind = "closed-account"
	UnknownNotice Kind = "unknown-notice"
	ClosedNotice  Kind = "closed-notice"
	MailboxFull   Kind = "mailbox-full"
	Malware       Kind = "malware"
	MalwareThere  Kind = "malware-recipient"
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

// kinds are all faults: what each does, its stage, the operation that it is about where it is one, the class of those that refuse, and how a message ends.
var kinds = map[Kind]struct {
	about string
	stage stage
	only  webservice.Operation
	class webservice.Class
	fate  dmda.Fate
}{
	Slow:          {about: "the answer takes its time", stage: early},
	Down:          {about: "a front door says 503, and passes nothing on", stage: early},
	Drop:          {about: "the connection ends before the request is looked at", stage: early},
	DropUpload:    {about: "the connection ends in the midst of the request", stage: upload},
	Lost:          {about: "the request is carried out, and the connection ends before the answer", stage: late},
	Garbage:       {about: "the request is carried out, and the answer is no XML", stage: late},
	Page:          {about: "the request is carried out, and a page in HTML comes with status 200", stage: late},
	Hang:          {about: "the request is carried out, and no answer comes", stage: late},
	Huge:          {about: "the request is carried out, and the answer has no end", stage: late},
	Cut:           {about: "the connection ends within the message that is fetched", stage: late, only: webservice.OpFetch},
	Keep:          {about: "what is acknowledged stays, and the acknowledgement fails", stage: refuse, only: webservice.OpAcknowledge, class: webservice.Unavailable},
	Unavailable:   {about: "the service says that it is out of order", stage: refuse, class: webservice.Unavailable},
	Login:         {about: "nobody is let in", stage: refuse, class: webservice.LoginFailed},
	Expired:       {about: "the session has ended", stage: refuse, class: webservice.SessionExpired},
	Rejected:      {about: "messages are refused for good", stage: refuse, only: webservice.OpSubmit, class: webservice.Rejected},
	NotEntitled:   {about: "the account may not send so", stage: refuse, only: webservice.OpSubmit, class: webservice.NotEntitled},
	DailyLimit:    {about: "no more messages today", stage: refuse, only: webservice.OpSubmit, class: webservice.OverQuota},
	TooLarge:      {about: "messages are too large", stage: refuse, only: webservice.OpSubmit, class: webservice.TooLarge},
	UnknownAt:     {about: "every recipient is unknown, and the service says so at once", stage: refuse, only: webservice.OpSubmit, class: webservice.NoSuchAddress},
	ClosedAt:      {about: "every recipient's account is closed, and the service says so at once", stage: refuse, only: webservice.OpSubmit, class: webservice.NoSuchAddress},
	UnknownNotice: {about: "messages are taken, and a notification says that no recipient exists", stage: fated, only: webservice.OpSubmit, fate: dmda.Nowhere},
	ClosedNotice:  {about: "messages are taken, and a notification says that every recipient's account is closed", stage: fated, only: webservice.OpSubmit, fate: dmda.Shut},
	MailboxFull:   {about: "messages are taken, and a notification says that every recipient's mailbox is full", stage: fated, only: webservice.OpSubmit, fate: dmda.Full},
	Malware:       {about: "messages are taken, and a notification says that malware was found in them", stage: fated, only: webservice.OpSubmit, fate: dmda.Infected},
	MalwareThere:  {about: "messages are taken, and the recipient's provider finds malware and tells both sides", stage: fated, only: webservice.OpSubmit, fate: dmda.InfectedThere},
}

// About tells what the fault does.
func (k Kind) About() string { return kinds[k].about }

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
