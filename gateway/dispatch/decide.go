package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
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
		return Decision{}, refuse(r, "its domain is one of De-Mail, which this gateway has no way to, and such mail never leaves as ordinary mail. "+
			"Use another address, or ask your administrator for a De-Mail account")
	}
	if why := unfit(r); why != "" {
		return Decision{}, refuse(r, why)
	}
	rule, err := d.rule(ctx, r)
	if err != nil {
		return Decision{}, err
	}
	if rule == nil {
		return Decision{}, refuse(r, show(r.From)+" may not send De-Mail. Ask your administrator for a De-Mail address")
	}
	sender, err := rule.address(ctx, r.From)
	if errors.Is(err, ErrUnavailable) {
		return Decision{}, err
	}
	account := d.accounts[rule.Account]
	switch {
	case err != nil:
		return Decision{}, refuse(r, show(r.From)+" may not send De-Mail: "+err.Error()+". Ask your administrator for one")
	case !d.mayBeFrom(account.Name, sender):
		return Decision{}, refuse(r, "the De-Mail address "+cut(sender.String(), maxShown)+" of "+show(r.From)+" is not in a domain of the account "+account.Name+
			". Ask your administrator to correct that")
	}
	options, why := rule.options(r, account, sender)
	if why == "" {
		why = fits(r, account)
	}
	if why != "" {
		return Decision{}, refuse(r, why)
	}
	return Decision{
		DeMail: mail.DeMail{Account: account.Name, Sender: sender, Options: options, Author: r.From},
		Rule:   rule.Name, daily: rule.Daily, messages: count(r),
	}, nil
}

// unfit says why a message cannot be a De-Mail, whoever sends it.
func unfit(r Request) string {
	switch {
	case r.Report:
		return "it has no sender, as reports and automatic answers have none, and such mail does not leave as De-Mail"
	case r.Automatic:
		return "it says of itself that no person sent it (Auto-Submitted), and such mail does not leave as De-Mail"
	case r.From.IsNull():
		return "it does not have exactly one From address, and a De-Mail has one sender. Send it from one address"
	case !r.Authorised:
		return "the sending system may not use the From address " + show(r.From) + ", and a De-Mail is sent in nobody else's name"
	case oddRecipient(r) != "":
		return oddRecipient(r) + " cannot be a De-Mail address. Check the spelling"
	case r.Contrary:
		return "its De-Mail recipients are to get it from different De-Mail addresses. Send it to them one by one"
	case r.Unknown != "":
		return `"` + cut(r.Unknown, maxWord) + `" is no option of De-Mail. Write dispatch, receipt, retrieve, authoritative or private`
	}
	return ""
}

// oddRecipient is the first recipient whose address De-Mail has not (2.1, 2.1.3): one with quotes, or letters beyond ASCII; "" where there is none.
func oddRecipient(r Request) string {
	for _, to := range r.Recipients {
		if _, err := demail.ParseAddress(to.String()); err != nil {
			return show(to)
		}
	}
	return ""
}

// options are those of the message, or why the sender may not have what was asked for.
func (s *Sender) options(r Request, a Account, sender demail.Address) (o demail.Options, why string) {
	if more := r.Asked.Without(s.May).Without(s.Always).Without(r.Always); more != (demail.Options{}) {
		return o, show(r.From) + " may not ask for " + words(more) + ". Leave that out, or ask your administrator"
	}
	always := s.Always.Or(r.Always)
	if more := r.Always.Without(a.Entitled); more != (demail.Options{}) {
		return o, "the policy has it with " + words(more) + ", which the account " + cut(a.Name, maxWord) + " is not entitled to. Ask your administrator to correct that"
	}
	o = whole(r.Asked.Or(always))
	if err := o.Check(sender, a.Level); err != nil {
		return o, strings.TrimPrefix(err.Error(), demail.ErrOptions.Error()+": ") + ". Leave that out, or ask your administrator"
	}
	return o, ""
}

// fits says why a message is too large, or for too many.
func fits(r Request, a Account) string {
	most := demail.MaxRecipients
	if a.Level != demail.LevelHigh { // 3.1, 3.3
		most = demail.MaxPerDayReaches
	}
	switch {
	case len(r.Recipients) > most:
		return fmt.Sprintf("it is for %d De-Mail addresses, and at most %d are possible at once. Send it to fewer at a time", len(r.Recipients), most)
	case r.Net > a.MaxNet:
		return fmt.Sprintf("it is %s large, and a De-Mail may be %s. Send less at a time", megabytes(r.Net), megabytes(a.MaxNet))
	case r.Size > demail.MaxGross: // 3.1, 4.1
		return fmt.Sprintf("it is %s large with its encodings, and a De-Mail may be %s. Send less at a time", megabytes(r.Size), megabytes(demail.MaxGross))
	}
	return ""
}

// CheckSize is what Decide says of sizes, for a message that has become another since: a *Refused, or nil.
func (d *Desk) CheckSize(account string, r Request) error {
	if d == nil || !d.Has(account) {
		return gone(r, account)
	}
	if why := fits(r, d.accounts[account]); why != "" {
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
	return refuse(r, "the De-Mail account "+cut(account, maxWord)+", which it was to be sent from, does not exist any more. Send it again, or ask your administrator")
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
	return refuse(r, fmt.Sprintf("%s may send %d De-Mails a day, and has %d left today, while this takes %d. Send it tomorrow, or ask your administrator",
		show(of.Author), of.daily, max(left, 0), of.messages))
}
