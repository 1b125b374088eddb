package recipients

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// listOf makes a list of the addresses in local domains. What is no address to which mail can be sent is left out, so is what
// would stand for others: an address in a directory is that one alone.
func listOf(all []string, local mail.Patterns, tag string) *List {
	p := parser{List: List{tag: tag}}
	for _, text := range all {
		a, err := mail.ParseAddress(text)
		if err != nil || a.IsNull() || strings.Contains(text, "*") || !local.Match(a) {
			continue
		}
		pattern, err := mail.ParsePattern(a.String())
		if err != nil {
			continue
		}
		if text := pattern.String(); text[0] != '@' && pattern.Domain() != "" {
			p.text.WriteString(text)
			p.ends = append(p.ends, p.text.Len())
		}
	}
	p.sort()
	p.addresses = slices.Compact(p.addresses)
	return &p.List
}

// readings are the addresses that a may be: itself, and without its tag.
func (l *List) readings(a mail.Address) []mail.Address {
	all := []mail.Address{a}
	if l.tag == "" {
		return all
	}
	if local, _, tagged := strings.Cut(a.Local, l.tag); tagged && local != "" {
		all = append(all, mail.Address{Local: local, Domain: a.Domain})
	}
	return all
}

// maxKept bounds a list that was kept.
const maxKept = 256 << 20

// keptHeader begins a list that was kept; the time of its reading follows.
const keptHeader = "siegel recipients 1 "

// associated binds the file to the directory it came from.
func (d *Directory) associated() []byte { return []byte("recipients of " + d.o.Source.Name()) }

// save keeps the list for the next start. It is in the place of the one before as a whole, or not at all.
func (d *Directory) save(list *List, now time.Time) (err error) {
	if err := os.MkdirAll(filepath.Dir(d.o.Path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(d.o.Path), filepath.Base(d.o.Path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = errors.Join(d.write(f, list, now), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.o.Path)
}

func (d *Directory) write(f io.Writer, list *List, now time.Time) error {
	sealed, err := d.o.Key.Derive("recipients").Writer(f, d.associated())
	if err != nil {
		return err
	}
	w := bufio.NewWriter(sealed)
	fmt.Fprintf(w, "%s%d\n", keptHeader, now.Unix())
	for _, a := range list.addresses {
		w.WriteString(a)
		w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), sealed.Close())
}

// errKept is the error of a file that is none of ours.
var errKept = errors.New("recipients: not a list that was kept")

// load reads the list that was kept; no file is no list.
func (d *Directory) load() (*List, time.Time, error) {
	f, err := os.Open(d.o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	plain, err := d.o.Key.Derive("recipients").Reader(f, d.associated())
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxKept))
	if err != nil {
		return nil, time.Time{}, err
	}
	head, rest, _ := strings.Cut(string(text), "\n")
	seconds, err := strconv.ParseInt(strings.TrimPrefix(head, keptHeader), 10, 64)
	if !strings.HasPrefix(head, keptHeader) || err != nil || len(text) == maxKept {
		return nil, time.Time{}, errKept
	}
	list := listOf(strings.Split(strings.TrimSuffix(rest, "\n"), "\n"), d.o.Local, d.o.Tag)
	if list.Len() == 0 {
		return nil, time.Time{}, errKept
	}
	return list, time.Unix(seconds, 0), nil
}
