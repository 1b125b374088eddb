package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

func TestDelivers(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(taken, 0))
		id := b.letter(nil, "bob@x.example", "carl@y.example", "dora@x.example")
		b.want("states", b.states, "bob@x.example delivered 1", "carl@y.example delivered 1", "dora@x.example delivered 1")
		attempts := b.tried()
		slices.Sort(attempts)
		if want := []string{"bob@x.example dora@x.example @ 0", "carl@y.example @ 0"}; !slices.Equal(attempts, want) {
			t.Errorf("attempts %q, want %q", attempts, want)
		}
		for _, e := range b.events {
			if e.Kind != track.Delivered || e.ID != id || e.Attempt != 1 || e.Reply != "250 taken" || e.Host != "mx:25" || e.From != "alice@firma.example" {
				t.Errorf("event %+v", e)
			}
		}
		if len(b.events) != 2 {
			t.Errorf("%d events, want one for each attempt", len(b.events))
		}
	})
}

// What lies in the store at the start, or was put by another process, is found without a Wake.
func TestFindsWork(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		b.Put(t.Context(), []queue.New{letter(t, time.Now(), "bob@x.example")})
	}, func(b *bench) {
		b.want("states", b.states, "bob@x.example delivered 1")
		time.Sleep(30 * time.Second)
		b.Put(t.Context(), []queue.New{letter(t, time.Now(), "carl@x.example")})
		time.Sleep(time.Minute)
		b.want("states", b.states, "bob@x.example delivered 1", "carl@x.example delivered 1")
	})
}

// What a former process put off is tried in its time, though the store tells the earliest of each destination alone.
func TestFindsWorkBehindOther(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		for i, to := range []string{"bob@x.example", "carl@x.example", "dora@x.example"} {
			n := letter(t, time.Now(), to)
			n.Due = time.Now().Add(time.Duration(i) * 3 * time.Second)
			b.Put(t.Context(), []queue.New{n})
		}
	}, func(b *bench) {
		time.Sleep(10 * time.Second)
		b.want("states", b.states, "bob@x.example delivered 1", "carl@x.example delivered 1", "dora@x.example delivered 1")
	})
}

// A message is tried by the schedule, at last when it expires, and then its sender is told.
func TestRetriesUntilExpiry(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(always(later, 0))
		b.letter(func(e *queue.New) {
			e.Expires = e.Due.Add(100 * time.Minute)
			e.Destinations[0] = "x.example"
		}, "bob@x.example")
		time.Sleep(99 * time.Minute)
		b.want("attempts", b.tried, "bob@x.example @ 0", "bob@x.example @ 1", "bob@x.example @ 6", "bob@x.example @ 66")
		b.want("states", b.states, "bob@x.example queued 4")
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{later}
		})
		time.Sleep(time.Minute)
		b.want("states", b.states, "bob@x.example failed 5", "alice@firma.example delivered 1")
		report := b.reports()[0]
		for _, want := range []string{"Action: failed", "Status: 4.4.7", "Diagnostic-Code: smtp; 451 4.3.2 later", "Subject: Angebot"} {
			if !strings.Contains(report, want) {
				t.Errorf("the report lacks %q:\n%s", want, report)
			}
		}
		if strings.Contains(report, "Geheim") {
			t.Error("the report holds the body")
		}
	})
}

// Who is told what (RFC 3461, 4.1 and 5.2): one report for all that failed together.
func TestReports(t *testing.T) {
	notify := func(words ...string) func(*queue.New) {
		return func(e *queue.New) { e.Envelope.Recipients[0].Notify = words }
	}
	cases := map[string]struct {
		change func(*queue.New)
		result Result
		want   string // in the report; empty: there is none
	}{
		"refused":                 {nil, never, "Action: failed"},
		"refused, null sender":    {func(e *queue.New) { e.Envelope.From = mail.Address{} }, never, ""},
		"refused, never":          {notify("NEVER"), never, ""},
		"refused, success only":   {notify("SUCCESS"), never, ""},
		"refused, failure":        {notify("SUCCESS", "FAILURE"), never, "Status: 5.1.1"},
		"delivered":               {nil, taken, ""},
		"delivered, success":      {notify("SUCCESS"), taken, ""}, // the next hop tells
		"relayed, success":        {notify("SUCCESS"), Result{Status: Delivered, Code: 250, Text: "ok", Remote: true, Host: "old:25"}, "Action: relayed"},
		"later":                   {nil, later, ""},
		"no route for the sender": {func(e *queue.New) { e.Envelope.From = address(t, "a@gone.example") }, never, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(b *bench) {
				b.routes["gone.example"] = ""
				b.hop(func(_ context.Context, a Attempt) []Result {
					if a.Envelope.From.IsNull() && a.Envelope.Recipients[0].Address.Local == "alice" {
						return []Result{taken}
					}
					return []Result{c.result}
				})
				b.letter(c.change, "bob@x.example")
				synctest.Wait()
				reports := b.reports()
				if name == "refused, null sender" {
					reports = reports[1:] // the message itself
				}
				if (c.want != "") != (len(reports) == 1) || len(reports) == 1 && !strings.Contains(reports[0], c.want) {
					t.Errorf("reports %q, want %q", reports, c.want)
				}
				if c.want == "" {
					return
				}
				last := b.messages[len(b.messages)-1]
				if last.Recipients[0].State != queue.Delivered || last.Origin != b.messages[0].Origin || !last.Envelope.From.IsNull() {
					t.Errorf("the report %+v", last.Message)
				}
				if !slices.ContainsFunc(b.events, func(e track.Event) bool { return e.Kind == track.Reported && e.ID == last.Envelope.ID }) {
					t.Error("no event for the report")
				}
			})
		})
	}
}

// The words of a report that come from here name no hosts and causes inside.
func TestReportsAreDiscreet(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{{Status: Deferred, Enhanced: "4.4.1", Text: "dial tcp 10.1.2.3:25: refused"}}
		})
		b.letter(func(e *queue.New) { e.Expires = e.Due }, "bob@x.example")
		synctest.Wait()
		if r := b.reports()[0]; strings.Contains(r, "10.1.2.3") || !strings.Contains(r, "Status: 4.4.7") {
			t.Errorf("report:\n%s", r)
		}
	})
}

// A sender inside is told which host does not give the TLS that is demanded; one outside that the way inside failed.
func TestReportsInsecure(t *testing.T) {
	const words = "mx.partner.example:25 no TLS; verified TLS is demanded (the message asks for it)"
	for _, internal := range []bool{true, false} {
		for _, delayed := range []bool{true, false} {
			run(t, func(_ *bench, o *Options) { o.DelayAfter = 4 * time.Hour }, func(b *bench) {
				b.hop(func(_ context.Context, a Attempt) []Result {
					if a.Envelope.From.IsNull() {
						return []Result{taken}
					}
					return []Result{{Status: Deferred, Enhanced: "4.7.5", Text: words, Insecure: true}}
				})
				b.letter(func(e *queue.New) {
					e.Envelope.Internal, e.Envelope.Recipients[0].Notify = internal, []string{"FAILURE", "DELAY"}
					if !delayed {
						e.Expires = e.Due
					}
				}, "bob@x.example")
				if delayed {
					time.Sleep(12 * time.Hour)
				}
				synctest.Wait()
				text := strings.ReplaceAll(strings.ReplaceAll(b.reports()[0], "=\r\n", ""), "\r\n ", " ")
				status := map[bool]string{true: "Status: 4.7.5", false: "Status: 4.4."}[internal]
				if strings.Contains(text, words) != internal || strings.Contains(text, "is not as secure as it must be") != internal || !strings.Contains(text, status) ||
					strings.Contains(text, "certificate of this recipient") {
					t.Errorf("internal %t, delayed %t:\n%s", internal, delayed, text)
				}
			})
		}
	}
}

// Whoever writes from outside learns whether a message was taken, not which servers are inside and what they say.
func TestOutsideLearnsNoHosts(t *testing.T) {
	const words, host = "mbx01.corp.example says no to 10.1.2.3", "mbx01.corp.example:25"
	remote := func(status Status, code int, enhanced string) Result {
		return Result{Status: status, Code: code, Enhanced: enhanced, Text: words, Remote: true, Host: host}
	}
	for name, c := range map[string]struct {
		result Result
		want   string
		inside string // is told to those inside alone
	}{
		"refused":           {remote(Refused, 550, "5.1.1"), "Status: 5.1.1", "550 5.1.1 " + words},
		"refused here":      {Result{Status: Refused, Code: 554, Enhanced: "5.6.3", Text: "it takes no 8-bit content", Host: host}, "554 5.6.3 it takes no 8-bit content", "mbx01"},
		"put off for good":  {remote(Deferred, 451, "4.7.1"), "Status: 4.4.7", words},
		"handed on, wanted": {remote(Delivered, 250, "2.0.0"), "Action: relayed", words},
		"refused, x.7.5":    {remote(Refused, 550, "5.7.5"), "Status: 5.7.5", words},
	} {
		t.Run(name, func(t *testing.T) {
			for _, internal := range []bool{false, true} {
				run(t, nil, func(b *bench) {
					b.hop(func(_ context.Context, a Attempt) []Result {
						if a.Envelope.From.IsNull() {
							return []Result{taken}
						}
						return []Result{c.result}
					})
					b.letter(func(e *queue.New) {
						e.Envelope.Internal, e.Expires, e.Envelope.Recipients[0].Notify = internal, e.Due, []string{"SUCCESS", "FAILURE"}
					}, "bob@x.example")
					synctest.Wait()
					text := strings.ReplaceAll(strings.ReplaceAll(b.reports()[0], "\r\n ", " "), "=\r\n", "")
					if !strings.Contains(text, c.want) || strings.Contains(text, c.inside) != internal || strings.Contains(text, "It was not sent.") {
						t.Errorf("internal %v:\n%s", internal, text)
					}
					if !internal && strings.Contains(text, "corp.example") {
						t.Errorf("the outside learns a name:\n%s", text)
					}
				})
			}
		})
	}
}

func TestDelayIsToldOnce(t *testing.T) {
	run(t, func(_ *bench, o *Options) { o.DelayAfter = 4 * time.Hour }, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{later}
		})
		b.letter(nil, "bob@x.example")
		time.Sleep(4 * time.Hour)
		b.want("reports before", func() []string { return b.reports() })
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if r := b.reports(); len(r) != 1 || !strings.Contains(r[0], "Action: delayed") || !strings.Contains(r[0], "Will-Retry-Until") {
			t.Errorf("reports %q", r)
		}
	})
}

func TestPrepare(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"temporary": {errors.New("the card is away"), "bob@x.example queued 1"},
		"for good":  {fmt.Errorf("opening: %w", &Refusal{Enhanced: "5.6.0", Text: "no way", Err: io.ErrUnexpectedEOF}), "bob@x.example failed 1"},
		"damaged":   {fmt.Errorf("reading: %w", queue.ErrDamaged), "bob@x.example held 1"},
		"none":      {nil, "bob@x.example delivered 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			released := 0
			run(t, func(b *bench, o *Options) {
				o.Prepare = Whole(func(ctx context.Context, claim queue.Claim) (mail.Content, func(), error) {
					if claim.Message.Envelope.From.IsNull() {
						return stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}, nil, nil
					}
					return stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}, func() { released++ }, c.err
				})
			}, func(b *bench) {
				b.letter(nil, "bob@x.example")
				synctest.Wait()
				if got := b.states()[0]; got != c.want || released != 1 {
					t.Errorf("%s, released %d times, want %s", got, released, c.want)
				}
				if c.err != nil && len(b.tried()) > 0 && b.attempts[0] != "alice@firma.example @ 0" {
					t.Errorf("attempts %q", b.attempts)
				}
				if reports := b.reports(); name == "for good" && !strings.Contains(reports[0], "Status: 5.6.0") {
					t.Errorf("reports %q", reports)
				}
			})
		})
	}
}

// The content given to a transport is what the store has, each time from the first byte.
func TestStoredContent(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			for range 2 {
				r, err := a.Content.Open()
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(r)
				if string(got) != sample || a.Content.Size() != int64(len(sample)) {
					t.Errorf("content %q", got)
				}
			}
			if !strings.HasSuffix(a.Key, "/x.example") || a.Destination != "x.example" {
				t.Errorf("attempt %+v", a)
			}
			return []Result{taken}
		})
		b.letter(nil, "bob@x.example")
		b.want("states", b.states, "bob@x.example delivered 1")
	})
}

// A claim is split by the routing of the moment, and one route does not spoil the other.
func TestSplitsByRoute(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.routes["a.example"], b.routes["c.example"], b.routes["d.example"] = "one", "one", ""
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Destination == "one" {
				return repeat(taken, len(a.Envelope.Recipients))
			}
			return []Result{later}
		})
		b.letter(func(e *queue.New) { e.Destinations = []string{"old", "old", "old", "old"} },
			"bob@a.example", "bob@b.example", "bob@c.example", "bob@d.example")
		b.want("states", b.states, "bob@a.example delivered 1", "bob@b.example queued 1", "bob@c.example delivered 1", "bob@d.example queued 1")
		b.want("attempts", b.tried, "bob@a.example bob@c.example @ 0", "bob@b.example @ 0")
		messages, _ := b.List(t.Context(), queue.Filter{})
		if reply := messages[0].Recipients[3].LastReply; !strings.Contains(reply, "no route") {
			t.Errorf("last reply %q", reply)
		}
	})
}

// A transport that does not answer for every recipient loses nothing.
func TestMiscount(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(context.Context, Attempt) []Result { return []Result{taken, taken, {}} })
		b.letter(nil, "bob@x.example", "carl@x.example")
		b.letter(nil, "dora@y.example", "emil@y.example", "fred@y.example")
		b.want("states", b.states, "bob@x.example queued 1", "carl@x.example queued 1",
			"dora@y.example delivered 1", "emil@y.example delivered 1", "fred@y.example queued 1")
	})
}

func TestNewNeedsParts(t *testing.T) {
	for _, o := range []Options{{}, {Store: &memory{}}, {Store: &memory{}, Router: Table{}}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
