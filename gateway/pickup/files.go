package pickup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// attributes are what the system knows of a file beside fs.FileInfo.
type attributes struct {
	uid   uint32
	links uint64
}

// names lists up to perScan of the names in a folder that are wanted, however many others there are.
func names(dir *os.Root, wanted func(name string) bool) (out []string, err error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for err == nil && len(out) < perScan {
		var found []string
		found, err = d.Readdirnames(perScan)
		for _, name := range found {
			if wanted(name) {
				out = append(out, name)
			}
		}
	}
	if err != nil && !isEOF(err) {
		return nil, err
	}
	slices.Sort(out)
	return out, nil
}

func isMessage(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".eml") }

func isAny(string) bool { return true }

// complete returns the names of new files that have not changed for a while.
func (f *Folder) complete() ([]string, error) {
	found, err := names(f.root, isMessage)
	if err != nil {
		return nil, err
	}
	now, seen := f.o.Now(), map[string]sight{}
	var ready []string
	for _, name := range found {
		info, err := f.root.Lstat(name)
		if err != nil { // it is gone
			continue
		}
		s, known := f.seen[name]
		if !known || s.size != info.Size() || !s.mtime.Equal(info.ModTime()) {
			s = sight{info.Size(), info.ModTime(), now}
		}
		seen[name] = s
		if age := now.Sub(s.since); age >= f.o.Settle || age < 0 {
			ready = append(ready, name)
		}
	}
	f.seen = seen
	return ready, nil
}

// take moves a file to where nobody can exchange it and returns its name there. Rename follows no link, and takes
// whatever stands under the name now: it is judged afterwards.
func (f *Folder) take(name string) (string, error) {
	taken := string(mail.NewID(f.o.Now())) + "-" + plainName(name)
	if err := f.root.Rename(name, takingDir+"/"+taken); err != nil {
		return "", err
	}
	delete(f.seen, name)
	if _, err := f.taking.Lstat(taken); err != nil { // somebody put another folder in the place of ours
		return "", fmt.Errorf("the folder %s was exchanged: restart the gateway: %w", takingDir, err)
	}
	return taken, nil
}

// plainName is a file's name without what could harm a shell or a log, and not too long.
func plainName(name string) string {
	const most = 100
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
	return plain[max(0, len(plain)-most):]
}

// open opens a file in taking/ after it was found to be one that is taken. A refusal says why it is not.
func (f *Folder) open(name string) (*os.File, error) {
	info, err := f.taking.Lstat(name)
	if err != nil {
		return nil, err
	}
	if why := f.unfit(info); why != "" {
		return nil, refuse("%s", why)
	}
	file, err := f.taking.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil, refuse("the user of the gateway may not read the file; give it to a group of that user, or let all read it")
	}
	return file, err
}

// unfit says why a file is not taken, or nothing.
func (f *Folder) unfit(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "this is not a file with a message, but a link, a folder or a device"
	}
	a, ok := attributesOf(info)
	switch {
	case !ok || !slices.Contains(f.o.Owners, a.uid):
		return "the file belongs to a user whose messages are not taken; the owners are set under pickup.owners"
	case a.links != 1:
		return "the file has a second name (a hard link), so it may be somebody else's"
	case info.Mode().Perm()&0o022 != 0:
		return "others than its owner may write to the file; run chmod go-w on it before it is put here"
	case info.Size() > f.o.MaxSize:
		return fmt.Sprintf("the file is larger than %d bytes", f.o.MaxSize)
	}
	return ""
}

// unchanged holds that a file is what it was when it was opened: whoever wrote it may have it open still.
func unchanged(file *os.File, before fs.FileInfo, size int64) error {
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if after.Size() != size || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return errChanging
	}
	return nil
}

// setAside moves a file to bad/ and writes the reason beside it.
func (f *Folder) setAside(name, reason string) error {
	text := strings.TrimSuffix(name, ".eml") + ".txt"
	if err := f.bad.WriteFile(text, []byte(f.o.Now().UTC().Format("2006-01-02 15:04:05 UTC")+"\n"+reason+"\n"), 0o640); err != nil {
		return err
	}
	if err := f.root.Rename(takingDir+"/"+name, badDir+"/"+name); err != nil {
		return err
	}
	_, err := f.bad.Lstat(name)
	return err
}
