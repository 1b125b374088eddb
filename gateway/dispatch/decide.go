package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Request is what a decision rests on.
type Request struct {
	From mail.Address // the single From address; zero where there is none or more than one
	// Authorised: the submitter may use From. It is for nobody else to send in somebody's name (TR-01201 6.1, 10.1.1).
	Authorised bool
	Report     bool // the reverse-path is null: a report, or an answer by machine
	Automatic  bool // Auto-Submitted says that no person sent it (RFC 3834, 5)
	// Recipients are those in domains of De-Mail, at least one.
	Recipients []mail.Address
	// Hidden is how many of them neither To nor Cc names: each gets a message of its own (3.1, 3.3), which counts.
	Hidden int
	// Sender is the name of the Sender that policy wants, whoever it is for; empty: the first one that From meets. Always are options that policy wants as well.
	Sender string
	Always demail.Options
	// Contrary: policy wants another Sender for each of some recipients, and a message has one.
	Contrary bool
	Asked    demail.Options // what the sender asked for
	Unknown  string         // what the sender asked for and is no option; "" where there is nothing
	Size     int64          // of the message in bytes
	Net      int64          // as NetSize counts it
}

// Decision says how a message leaves as De-Mail.
type Decision struct {
	mail.DeMail
	Rule     string // name of the Sender that decided
	daily    int
	messages int
}

// String says it for a record: "De-Mail by account main as kontakt@firma.de-mail.de, with dispatch, by sender sales".
func (d Decision) String() string { return d.DeMail.String() + ", by sender " + d.Rule }

// Decide says how a message leaves, or why not. The error is a *Refused, for good, or wraps ErrUnavailable. It counts nothing: see Spend.
func (d *Desk) Decide(ctx context.Context, r Request) (Decision, error) {
	if d == nil || len(d.accounts) == 0 {
		return Decision{}, refuse(r, because(texts.DeMailNoWay))
	}
	if why := unfit(r); why.Reason != "" {
		return Decision{}, refuse(r, why)
	}
	rule, err := d.rule(ctx, r)
	if err != nil {
		return Decision{}, err
	}
	if rule == nil {
		return Decision{}, refuse(r, because(texts.DeMailNotAllowed))
	}
	sender, err := rule.address(ctx, r.From)
	if errors.Is(err, ErrUnavailable) {
		return Decision{}, err
	}
	account := d.accounts[rule.Account]
	switch {
	case err != nil:
		return Decision{}, refuse(r, unaddressed(err))
	case !d.mayBeFrom(account.Name, sender):
		return Decision{}, refuse(r, texts.Values{Reason: texts.DeMailElsewhere, Address: sender.String(), Account: account.Name})
	}
	options, why := rule.options(r, account, sender)
	if why.Reason == "" {
		why = fits(r, account)
	}
	if why.Reason != "" {
		return Decision{}, refuse(r, why)
	}
	return Decision{
		DeMail: mail.DeMail{Account: account.Name, Sender: sender, Options: options, Author: r.From},
		Rule:   rule.Name, daily: rule.Daily, messages: count(r),
	}, nil
}

// unfit says why a message cannot be a De-Mail, whoever sends it.
func unfit(r Request) texts.Values {
	switch {
	case r.Report, r.Automatic:
		return because(texts.DeMailAutomatic)
	case r.From.IsNull():
		return because(texts.DeMailFrom)
	case !r.Authorised:
		return because(texts.DeMailNotYours)
	case oddRecipient(r) != "":
		return texts.Values{Reason: texts.DeMailOdd, Address: oddRecipient(r)}
	case r.Contrary:
		return because(texts.DeMailContrary)
	case r.Unknown != "":
		return texts.Values{Reason: texts.DeMailUnknown, Detail: r.Unknown}
	}
	return texts.Values{}
}

// oddRecipient is the first recipient whose address De-Mail has not (2.1, 2.1.3): one with quotes, or letters beyond ASCII; "" where there is none.
func oddRecipient(r Request) string {
	for _, to := range r.Recipients {
		if _, err := demail.ParseAddress(to.String()); err != nil {
			return to.String()
		}
	}
	return ""
}

// options are those of the message, or why the sender may not have what was asked for.
func (s *Sender) options(r Request, a Account, sender demail.Address) (o demail.Options, why texts.Values) {
	if more := r.Asked.Without(s.May).Without(s.Always).Without(r.Always); more != (demail.Options{}) {
		return o, texts.Values{Reason: texts.DeMailOption, Detail: words(more)}
	}
	always := s.Always.Or(r.Always)
	if more := r.Always.Without(a.Entitled); more != (demail.Options{}) {
		return o, texts.Values{Reason: texts.DeMailNotEntitled, Detail: words(more), Account: a.Name}
	}
	o = whole(r.Asked.Or(always))
	switch err := o.Check(sender, a.Level); {
	case err == nil:
		return o, texts.Values{}
	case errors.Is(err, demail.ErrNeedsPrivate):
		return o, because(texts.DeMailPrivate)
	case errors.Is(err, demail.ErrPseudonym):
		return o, because(texts.DeMailPseudonym)
	}
	return o, because(texts.DeMailLevel)
}

// fits says why a message is too large, or for too many.
func fits(r Request, a Account) texts.Values {
	most := demail.MaxRecipients
	if a.Level != demail.LevelHigh { // 3.1, 3.3
		most = demail.MaxPerDayReaches
	}
	switch {
	case len(r.Recipients) > most:
		return texts.Values{Reason: texts.DeMailTooMany, Count: len(r.Recipients), Most: most}
	case r.Net > a.MaxNet:
		return texts.Values{Reason: texts.DeMailTooLarge, Size: r.Net, Limit: a.MaxNet}
	case r.Size > demail.MaxGross: // 3.1, 4.1
		return texts.Values{Reason: texts.DeMailTooLargeNow, Size: r.Size, Limit: demail.MaxGross}
	}
	return texts.Values{}
}

// CheckSize is what Decide says of sizes, for a message that has become another since: a *Refused, or nil.
func (d *Desk) CheckSize(account string, r Request) error {
	if d == nil || !d.Has(account) {
		return gone(r, account)
	}
	if why := fits(r, d.accounts[account]); why.Reason != "" {
		return refuse(r, why)
	}
	return nil
}

// Stands is nil where what was decided before can still be done: there still is the account. Else it is a *Refused.
func (d *Desk) Stands(account string, r Request) error {
	if !d.Has(account) {
		return gone(r, account)
	}
	return nil
}

func gone(r Request, account string) error {
	return refuse(r, texts.Values{Reason: texts.DeMailGone, Account: account})
}

// count is how many messages become of one: those whom the header names share theirs, each other has one (3.1, 3.3).
func count(r Request) int {
	n := r.Hidden
	if r.Hidden < len(r.Recipients) {
		n++
	}
	return n
}

// Spend counts a message against the budget of its sender, once it is certain that nothing else keeps it from leaving. The error is a *Refused, or
// wraps ErrUnavailable.
func (d *Desk) Spend(ctx context.Context, of Decision, r Request) error {
	if d == nil || d.budget == nil {
		return nil
	}
	left, ok, err := d.budget.Spend(ctx, of.Author.Key(), d.day(), of.messages, of.daily)
	if err != nil {
		return unavailable("how many De-Mails the sender has sent", err)
	}
	if ok {
		return nil
	}
	return refuseSpent(of, r, left)
}

// Affords is what Spend would say now, and counts nothing.
func (d *Desk) Affords(ctx context.Context, of Decision, r Request) error {
	if d == nil || d.budget == nil {
		return nil
	}
	spent, err := d.budget.Spent(ctx, of.Author.Key(), d.day())
	if err != nil {
		return unavailable("how many De-Mails the sender has sent", err)
	}
	if left := of.daily - spent; of.daily > 0 && of.messages > left {
		return refuseSpent(of, r, left)
	}
	return nil
}

// day is the midnight that today began with.
func (d *Desk) day() time.Time {
	now := d.now()
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
}

func refuseSpent(of Decision, r Request, left int) error {
	r.From = of.Author
	return refuse(r, texts.Values{Reason: texts.DeMailSpent, Most: of.daily, Left: max(left, 0), Count: of.messages})
}
