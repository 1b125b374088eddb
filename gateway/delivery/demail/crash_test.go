package demail_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	demailaddr "github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// orders are what a child process is told.
type orders struct {
	Dir, Key, URL string
	ID            mail.ID
}

const ordersName = "SIEGEL_TEST_DEMAIL_CHILD"

// shortQuiet is how long a lost answer is not believed in these tests.
const shortQuiet = 20 * time.Millisecond

// child is a process that delivers one message to a provider over HTTP, and says what it does. It reports whether this process is one.
func child() bool {
	text := os.Getenv(ordersName)
	if text == "" {
		return false
	}
	if err := obey(text); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	return true
}

func obey(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	key, err := atrest.ParseKey(o.Key)
	if err != nil {
		return err
	}
	record, err := proof.Open(context.Background(), proof.Options{Dir: o.Dir, Key: key})
	if err == nil {
		err = record.Check()
	}
	if err != nil {
		return err
	}
	t, err := demail.New(demail.Options{Account: "main", Provider: remote{o.URL}, Record: spoken{record}, Quiet: shortQuiet})
	if err != nil {
		return err
	}
	a, err := childLetter(o.ID)
	if err != nil {
		return err
	}
	for {
		r := t.Deliver(context.Background(), a)[0]
		fmt.Println("result", r.Status, r.Doubt)
		if r.Status != delivery.Deferred {
			return record.Close()
		}
		<-time.After(max(r.Pause, time.Millisecond))
	}
}

// childLetter is the message, which lies in a queue.
func childLetter(id mail.ID) (a delivery.Attempt, err error) {
	sender, err := demailaddr.ParseAddress("kontakt@firma.de-mail.de")
	to, toErr := mail.ParseAddress("amt@stadt.de-mail.de")
	a = delivery.Attempt{Origin: id, Content: content("To: amt@stadt.de-mail.de\r\nMessage-ID: <1@firma.example>\r\n\r\nx\r\n")}
	a.Envelope = mail.Envelope{ID: id, Internal: true, Received: time.Now(), Recipients: []mail.Recipient{{Address: to}}, DeMail: &mail.DeMail{Account: "main", Sender: sender}}
	return a, errors.Join(err, toErr)
}

// spoken is a record that says what it does, so that somebody can kill the process there.
type spoken struct{ demail.Record }

func (s spoken) Begin(ctx context.Context, m proof.Submission) (proof.State, error) {
	fmt.Println("begin")
	before, err := s.Record.Begin(ctx, m)
	fmt.Println("begun")
	return before, err
}

func (s spoken) Settle(ctx context.Context, key string, r proof.Result) error {
	fmt.Println("settle", r.State)
	err := s.Record.Settle(ctx, key, r)
	fmt.Println("settled", r.State)
	return err
}

// remote is a provider over HTTP.
type remote struct{ url string }

func (p remote) ask(ctx context.Context, op, key string) (connectors.Receipt, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/"+op+"?key="+url.QueryEscape(key), nil)
	if err != nil {
		return connectors.Receipt{}, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return connectors.Receipt{}, connectors.Lost(err, "no answer")
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return connectors.Receipt{}, connectors.ErrNotFound
	}
	id, err := io.ReadAll(answer.Body)
	return connectors.Receipt{ID: string(id)}, err
}

func (p remote) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	return p.ask(ctx, "submit", m.Key)
}
func (p remote) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	return p.ask(ctx, "find", key)
}
func (p remote) Domains(context.Context) ([]string, error)       { return nil, nil }
func (p remote) Fetch(context.Context, connectors.Handler) error { return nil }
func (p remote) Lookup(context.Context, demailaddr.Address) (connectors.Entry, error) {
	return connectors.Entry{}, connectors.ErrUnsupported
}

// counter is the provider: it counts what it takes, and may have the gateway killed before or after that.
type counter struct {
	mu            sync.Mutex
	taken         int
	before, after func()
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path == "/find" {
		if c.taken == 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, "id-1")
		return
	}
	if c.before != nil {
		c.before()
		c.before = nil
		return
	}
	c.taken++
	if c.after != nil {
		c.after()
	}
	c.after = nil
	fmt.Fprint(w, "id-1")
}

// live runs a child until it ends, or until it is killed at a line that it says; it returns the last one.
func live(t *testing.T, o orders, killAt string, started func(kill func())) (last string) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), ordersName+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	kill := func() { cmd.Process.Kill() }
	started(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		if last == killAt {
			kill()
			break
		}
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	return last
}

// A process is killed wherever it can be between the beginning of a submission and its end. The next one finishes what it began, and the provider
// has the message once.
func TestKilled(t *testing.T) {
	type point struct {
		name, line    string
		before, after bool // killed by the provider, which then does not take the message, or has taken it
	}
	for _, p := range []point{
		{"before the record", "begin", false, false}, {"after the record", "begun", false, false},
		{"on the way", "", true, false}, {"after it was taken", "", false, true},
		{"before it is settled", "settle taken", false, false}, {"after it is settled", "settled taken", false, false},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := new(counter)
			server := httptest.NewServer(c)
			defer server.Close()
			key := atrest.NewKey()
			o := orders{Dir: filepath.Join(t.TempDir(), "demail"), Key: key.Text(), URL: server.URL, ID: mail.NewID(time.Now())}
			last := live(t, o, p.line, func(kill func()) {
				c.mu.Lock()
				defer c.mu.Unlock()
				if p.before {
					c.before = kill
				}
				if p.after {
					c.after = kill
				}
			})
			if strings.HasPrefix(last, "result "+string(delivery.Delivered)) {
				t.Fatal("it was not killed:", last)
			}
			last = live(t, o, "", func(func()) {})
			if last != "result delivered false" || c.taken != 1 {
				t.Errorf("the next process said %q, and the provider has the message %d times", last, c.taken)
			}
		})
	}
}
