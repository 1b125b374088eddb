// Package queuetest is what every queue.Store must do, as tests that its own tests call. It tests no particular store.
package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Opener opens the store that rests in place, a folder of the test, and makes it where it is missing. The
// same place is opened again only after the store was closed. The store takes its time from now.
type Opener func(t testing.TB, place string, now func() time.Time) queue.Store

// Run tests the stores that open gives.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*bench){
		"Envelope": envelopeComesBack, "Content": contentComesBack, "BadEntries": badEntries, "BadContent": badContent,
		"Variants": variantsTogether, "Exists": existingID,
		"ClaimOrder": claimOrder, "ClaimGroups": claimGroups, "Lease": leasePasses, "Renew": renew, "ForeignToken": foreignToken,
		"SettleFinal": settleFinal, "SettleRetry": settleRetry, "SettlePart": settlePart, "SettleHeld": settleHeld, "Hold": holdFromTheStart,
		"SettleReports": settleReports, "SettleBad": settleBad, "SettleTwice": settleTwice,
		"Pending": pendingComesBack, "SettleVariants": settleVariants, "PendingStats": pendingStats,
		"Destinations": destinations, "RetryAndDrop": retryAndDrop, "OperatorsAndLeases": operatorsAndLeases,
		"ChangeHolds": changeHolds, "ChangeReroutes": changeReroutes, "ChangeReturns": changeReturns, "ChangeBad": changeBad, "Hidden": hidden,
		"QuarantineFromTheStart": quarantineFromTheStart, "QuarantineByAnAttempt": quarantineByAnAttempt, "QuarantineReleased": quarantineReleased,
		"List": list, "ListPages": listPages, "Stats": stats, "Usage": usage, "Hasten": hasten, "Reopen": reopen, "Closed": closed,
		"ContextEnded": contextEnded, "ContextEndsUnderLoad": contextEndsUnderLoad, "OnceUnderLoad": onceUnderLoad,
		"Model": model,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, open: open, place: t.TempDir(), clock: &clock{now: start}}
			b.Store = open(t, b.place, b.clock.Now)
			defer func() { b.Store.Close() }() // the one open then
			test(b)
		})
	}
}

var start = time.Date(2030, 1, 2, 3, 4, 5, 678000000, time.UTC)

// bench is one test with its store.
type bench struct {
	*testing.T
	queue.Store
	open  Opener
	place string
	clock *clock
}

// Bytes is a mail.Content in memory.
type Bytes []byte

// Open is mail.Content's.
func (b Bytes) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }

// Size is mail.Content's.
func (b Bytes) Size() int64 { return int64(len(b)) }

// Entry makes a message that is due at due, with one recipient for each destination.
func Entry(due time.Time, content mail.Content, destinations ...string) queue.New {
	id := mail.NewID(due)
	n := queue.New{
		Envelope: mail.Envelope{
			ID: id, From: mail.Address{Local: "alice", Domain: "firma.example"}, Internal: true, Received: due,
			Client: mail.Client{Listener: "internal", Addr: netip.MustParseAddr("192.0.2.1"), Helo: "exchange.firma.example"},
		},
		Destinations: destinations, Content: content, Origin: id, Due: due, Expires: due.Add(120 * time.Hour),
	}
	for i := range destinations {
		n.Envelope.Recipients = append(n.Envelope.Recipients, mail.Recipient{
			Address: mail.Address{Local: fmt.Sprintf("bob%d", i), Domain: "partner.example"},
		})
	}
	return n
}

// put puts entries, which must succeed.
func (b *bench) put(entries ...queue.New) {
	b.Helper()
	if err := b.Put(b.Context(), entries); err != nil {
		b.Fatalf("Put: %v", err)
	}
}

// entry puts one small message.
func (b *bench) entry(due time.Time, destinations ...string) queue.New {
	b.Helper()
	n := Entry(due, Bytes("Subject: x\r\n\r\ny\r\n"), destinations...)
	b.put(n)
	return n
}

// claim claims up to limit messages for an hour.
func (b *bench) claim(destination string, now time.Time, limit int) []queue.Claim {
	b.Helper()
	claims, err := b.Claim(b.Context(), destination, now, time.Hour, limit)
	if err != nil {
		b.Fatalf("Claim: %v", err)
	}
	return claims
}

// claimOne claims the one message that must be there.
func (b *bench) claimOne(destination string, now time.Time) queue.Claim {
	b.Helper()
	claims := b.claim(destination, now, 10)
	if len(claims) != 1 {
		b.Fatalf("%d claims, want 1", len(claims))
	}
	return claims[0]
}

func (b *bench) settle(c queue.Claim, outcomes ...queue.Outcome) {
	b.Helper()
	if err := b.Settle(b.Context(), c, outcomes, nil); err != nil {
		b.Fatalf("Settle: %v", err)
	}
}

// wantErr checks that err is want.
func (b *bench) wantErr(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: %v, want %v", what, err, want)
	}
}

// ids lists the ids of claims.
func ids(claims []queue.Claim) (list []mail.ID) {
	for _, c := range claims {
		list = append(list, c.Message.Envelope.ID)
	}
	return list
}

func (b *bench) wantIDs(what string, got, want []mail.ID) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (b *bench) wantEqual(what string, got, want any) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// message returns the one message with this id, as List has it.
func (b *bench) message(id mail.ID) queue.Message {
	b.Helper()
	messages, err := b.List(b.Context(), queue.Filter{ID: id})
	if err != nil || len(messages) != 1 {
		b.Fatalf("List of %s: %d messages, %v", id, len(messages), err)
	}
	return messages[0]
}

// content reads the content of a message.
func (b *bench) content(id mail.ID) ([]byte, error) {
	r, err := b.Open(b.Context(), id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// wantGone checks that nothing of a message is left.
func (b *bench) wantGone(id mail.ID) {
	b.Helper()
	_, err := b.content(id)
	b.wantErr("Open of a message that is gone", err, queue.ErrNotFound)
	messages, err := b.List(b.Context(), queue.Filter{ID: id})
	if err != nil || len(messages) != 0 {
		b.Errorf("a message that is gone is listed: %v, %v", messages, err)
	}
}

// each makes the same outcome for all recipients of a claim.
func each(c queue.Claim, o queue.Outcome) (list []queue.Outcome) {
	for _, i := range c.Due {
		o.Index = i
		list = append(list, o)
	}
	return list
}
