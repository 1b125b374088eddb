// Command smime measures smime/cms beside the openssl command and go.mozilla.org/pkcs7 in one run; it judges nothing.
//
//	go run ./test/bench/smime [-rounds N] [-sizes 4096,1048576,26214400]
//
// What is told is processor's time, which other work on the machine disturbs little, and the best of all rounds. Ours and
// openssl go from file to file; pkcs7 works in memory. Peak memory is that of a process that does one thing.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 7, "rounds; the best is told")
	sizes := flag.String("sizes", "4096,1048576,26214400", "bytes of the contents")
	one := flag.String("one", "", "do one operation in a folder that this command made, and end")
	dir := flag.String("dir", "", "that folder")
	flag.Parse()
	var err error
	switch *one {
	case "spawn":
		err = spawn(flag.Args())
	case "":

		err = run(*rounds, strings.Split(*sizes, ","), os.Stdout)
	default:
		err = doOne(*one, *dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "smime:", err)
		os.Exit(1)
	}
}

// run measures every operation at every size and writes the tables.
func run(rounds int, sizes []string, w io.Writer) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := makeParty(dir)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tPROCESSOR, ms\t\t\tRATIOS\t\tALLOCATED, KB\t\tPEAK MEMORY, KB\t\t")
	fmt.Fprintln(t, "\tsiegel\topenssl\tpkcs7\topenssl/siegel\tpkcs7/siegel\tsiegel\tpkcs7\tsiegel\topenssl\tsiegel/openssl")
	idle, err := idleCosts(rounds)
	if err != nil {
		return err
	}
	for _, s := range sizes {
		size, err := strconv.Atoi(s)
		if err != nil {
			return err
		}
		if err := p.measure(rounds, size, idle, t); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	bare, signed, err := p.besideBare(rounds)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nsigning 4 KB beside the bare RSA-2048 signature: %.3f (%v, %v)\na process that does nothing: siegel %d KB, openssl %d KB\n",
		float64(signed)/float64(bare), signed, bare, idle.ours.memory, idle.openssl.memory)
	return err
}

// idle is what processes cost that do nothing.
type idle struct{ ours, openssl cost }

func idleCosts(rounds int) (i idle, err error) {
	self, err := os.Executable()
	if err != nil {
		return i, err
	}
	if i.ours, err = bestOf(rounds, func() (cost, error) { return runProcess(self, "-one", "nothing") }); err != nil {
		return i, err
	}
	i.openssl, err = bestOf(rounds, func() (cost, error) { return runProcess("openssl", "version") })
	return i, err
}

// measure writes the lines of one size.
func (p *party) measure(rounds, size int, idle idle, w io.Writer) error {
	if err := p.prepare(size); err != nil {
		return err
	}
	times := max(1, min(100, (1<<20)/size))
	for _, o := range operations() {
		var all [3]cost // ours, openssl, pkcs7
		var process cost
		var err error
		if all[0], err = bestOf(rounds, func() (cost, error) { return here(times, func() error { return o.ours(p) }) }); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		if all[1], err = bestOf(rounds, func() (cost, error) { return runProcess("openssl", o.openssl(p)...) }); err != nil {
			return fmt.Errorf("%s by openssl: %w", o.name, err)
		}
		if o.pkcs7 != nil {
			if all[2], err = bestOf(rounds, func() (cost, error) { return here(times, func() error { return o.pkcs7(p) }) }); err != nil {
				return fmt.Errorf("%s by pkcs7: %w", o.name, err)
			}
		}
		if process, err = p.process(o.name); err != nil {
			return err
		}
		theirs := max(all[1].time-idle.openssl.time, time.Microsecond)
		fmt.Fprintf(w, "%s, %s\t%.2f\t%.2f\t%s\t%.2f\t%s\t%d\t%s\t%d\t%d\t%.2f\n", o.name, sizeName(size), ms(all[0].time), ms(theirs), text(o.pkcs7 != nil, "%.2f", ms(all[2].time)),
			float64(theirs)/float64(all[0].time), text(o.pkcs7 != nil, "%.2f", float64(all[2].time)/float64(all[0].time)),
			all[0].allocated>>10, text(o.pkcs7 != nil, "%d", all[2].allocated>>10), process.memory, all[1].memory, float64(process.memory)/float64(all[1].memory))
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// text is a figure where there is one.
func text(there bool, format string, v any) string {
	if !there {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func sizeName(n int) string {
	if n >= 1<<20 {
		return fmt.Sprint(n>>20, " MB")
	}
	return fmt.Sprint(n>>10, " KB")
}
