package audit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// ready opens the log where it is not open.
func (l *Log) ready() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.file != nil:
		return nil
	}
	if err := os.MkdirAll(l.o.Dir, 0o700); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	end, torn, err := l.load()
	if err == nil {
		err = l.begin(end, torn)
	}
	if err != nil {
		l.drop()
	}
	return err
}

// load finds the end of the log: it looks through the last file that holds anything, and holds it against the
// head. It returns where the last entry of the current file ends, and what is after it.
func (l *Log) load() (end int64, torn []byte, err error) {
	list, err := files(l.o.Dir)
	if err != nil {
		return 0, nil, err
	}
	for len(list) > 1 && isEmpty(list[len(list)-1]) { // begun and nothing written yet
		list = list[:len(list)-1]
	}
	w := &walk{key: l.key, last: start(), known: len(list) < 2}
	if len(list) > 0 {
		path := list[len(list)-1]
		if err := w.run(path, true); err != nil {
			return 0, nil, err
		}
		if torn, err = rest(path, w.good); err != nil {
			return 0, nil, err
		}
		w.forgive(torn)
		if len(torn) > 0 && filepath.Base(path) != currentName {
			w.fault(Problem{File: filepath.Base(path)}, "the file was closed, and does not end with an entry")
		}
	}
	if err := w.compare(l.o.Dir); err != nil {
		return 0, nil, err
	}
	if w.result.Faults > 0 {
		return 0, nil, fmt.Errorf("%w: %s", ErrDamaged, w.result.Problems[0])
	}
	l.last = w.last
	l.first = w.result.First
	if w.result.Entries == 0 {
		l.first = w.last.seq + 1
	}
	return w.good, torn, nil
}

// forgive takes back the one fault of a last line that is no entry: what a crash left of an entry that was
// never confirmed. Whether it is no more than that, the head tells.
func (w *walk) forgive(torn []byte) {
	if len(torn) == 0 || w.known || w.result.Faults != 1 || w.result.After > 0 {
		return
	}
	w.result.Faults, w.result.Problems = 0, nil
}

func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0
}

// rest reads a file from an offset on, up to twice what an entry may hold.
func rest(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, from, 2*maxLine))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return b, nil
}

// begin makes the log ready to be appended to: torn, after end, is cut off, a head that lags behind is written, and what
// was done about either is recorded, as is the beginning of a log.
func (l *Log) begin(end int64, torn []byte) error {
	if len(torn) > 0 {
		if err := os.Truncate(filepath.Join(l.o.Dir, currentName), end); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	if err := l.create(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if l.last.seq > 0 {
		if err := writeHead(l.o.Dir, l.key, l.last); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	act := admin.Act{Time: l.o.Now(), Who: theGateway}
	switch {
	case l.last.seq == 0:
		act.What = "begin"
		act.Detail = "a new audit log"
		if len(torn) > 0 {
			act.Detail += "; what stood there was no entry and was taken away: " + digest(torn)
		}
		l.o.Log.Warn("audit: a new log begins; where there should be an old one, somebody took it away")
	case len(torn) > 0:
		act.What = "repair"
		act.Detail = "a crash left an entry that was never confirmed, which was taken away: " + digest(torn)
		l.o.Log.Warn("audit: the end of the log was torn by a crash and has been repaired")
	default:
		return nil
	}
	return l.append(act)
}
