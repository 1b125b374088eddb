// Command bench measures the gateway beside Postfix in one run; it judges nothing.
//
//	go run ./test/bench [-tls [-seconds N]] [-small N] [-large N] [-rounds N] [-sessions N] [-record=false] [-profile DIR]
//
// smtp-source sends through the server under test to smtp-sink. A round lasts from the first connection to the
// last message in the sink; rounds of the gateway and of Postfix take turns. With -profile the gateway runs in
// this process instead, and DIR holds its CPU profile for each row. With -tls it measures handshakes in place of mail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"
)

// options are the command line.
type options struct {
	small, large int // messages of a round
	rounds       int
	sessions     int
	record       bool
	profile      string
	seconds      int // of a round of handshakes
}

func main() {
	var o options
	flag.IntVar(&o.small, "small", 3000, "messages of 4 KB in a round")
	flag.IntVar(&o.large, "large", 100, "messages of 1 MB in a round")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; the median is told")
	flag.IntVar(&o.sessions, "sessions", 20, "connections at once")
	flag.BoolVar(&o.record, "record", true, "keep the record of messages, as the gateway does by itself")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the gateway, which then runs in this process")
	handshakesOnly := flag.Bool("tls", false, "measure handshakes, and no mail")
	flag.IntVar(&o.seconds, "seconds", 5, "length of a round of handshakes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	measure := run
	if *handshakesOnly {
		measure = handshakes
	}
	if err := measure(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is one kind of mail.
type row struct {
	name          string
	size          int
	sign, encrypt bool
	postfix       bool // is compared with Postfix
}

func rows() []row {
	const small, large = 4 << 10, 1 << 20
	return []row{
		{name: "relay, 4 KB", size: small, postfix: true},
		{name: "relay, 1 MB", size: large, postfix: true},
		{name: "sign, 4 KB", size: small, sign: true},
		{name: "sign and encrypt, 4 KB", size: small, sign: true, encrypt: true},
		{name: "sign and encrypt, 1 MB", size: large, sign: true, encrypt: true},
	}
}

func (r row) messages(o options) int {
	if r.size > 100<<10 {
		return o.large
	}
	if r.sign {
		return max(o.small/3, 1) // they take longer
	}
	return o.small
}

// run measures every row and writes the table.
func run(ctx context.Context, o options, w io.Writer) error {
	s, err := newSetting(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tMESSAGES PER SECOND\t\t\tPROCESSOR, ms A MESSAGE\t\t\tROUNDS")
	fmt.Fprintln(t, "\tsiegel\tpostfix\tsiegel/postfix\tsiegel\tpostfix\tpostfix/siegel\t")
	for _, r := range rows() {
		if err := s.measure(ctx, r, t); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return t.Flush()
}

// measure runs the rounds of one row and writes its line.
func (s *setting) measure(ctx context.Context, r row, w io.Writer) error {
	gateway, err := s.gateway(ctx, r)
	if err != nil {
		return err
	}
	defer gateway.stop()
	peer := &server{addr: s.postfix.Addr(), pid: s.postfix.PID()}
	var ours, theirs figures
	for range s.o.rounds {
		if err := s.round(ctx, gateway, r, &ours); err != nil {
			return err
		}
		if !r.postfix || s.o.profile != "" {
			continue
		}
		if err := s.round(ctx, peer, r, &theirs); err != nil {
			return err
		}
	}
	if theirs.rates == nil {
		_, err = fmt.Fprintf(w, "%s\t%.0f\t\t\t%.2f\t\t\t%.0f\n", r.name, median(ours.rates), median(ours.costs), ours.rates)
		return err
	}
	_, err = fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f, %.0f\n", r.name,
		median(ours.rates), median(theirs.rates), median(ours.rates)/median(theirs.rates),
		median(ours.costs), median(theirs.costs), median(theirs.costs)/median(ours.costs), ours.rates, theirs.rates)
	return err
}

// figures are those of each round of one server.
type figures struct {
	rates []float64 // messages a second
	costs []float64 // milliseconds of processor a message
}

// round sends the messages of a row through a server and notes how many a second came out behind it.
func (s *setting) round(ctx context.Context, through *server, r row, f *figures) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("the sink did not get everything"))
	defer cancel()
	n := r.messages(s.o)
	want := s.sink.count() + n
	start, before := time.Now(), processor(through.pid)
	if err := s.source(ctx, through.addr, n, r.size); err != nil {
		return err
	}
	if err := s.sink.wait(ctx, want); err != nil {
		return err
	}
	f.rates = append(f.rates, float64(n)/time.Since(start).Seconds())
	f.costs = append(f.costs, float64((processor(through.pid)-before).Milliseconds())/float64(n))
	return nil
}

// median of an odd number of values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
