// Package folder writes copies for an archive into a folder, a file each. It makes and encrypts nothing itself: it writes what it is given.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Options are where the copies go.
type Options struct {
	Dir string
	// Apart, where it is not empty, is a folder on the gateway's own disk: nothing is written while Dir lies on the same one, or on that of the system, as
	// where the share of an archive is not mounted. It is for copies that are not encrypted.
	Apart string
	// SameDisk reports whether two folders lie in one file system; nil: the system is asked.
	SameDisk func(a, b string) (bool, error)
}

// Folder is a delivery.Transport into a folder. It may be used from many goroutines.
type Folder struct{ o Options }

// New makes a Folder; it looks at nothing yet.
func New(o Options) *Folder {
	if o.SameDisk == nil {
		o.SameDisk = sameDisk
	}
	return &Folder{o}
}

// apart is an error where the folder lies on the disk that it is to be apart from, or on that of the system.
func (f *Folder) apart() error {
	if f.o.Apart == "" {
		return nil
	}
	for _, own := range []string{f.o.Apart, "/"} {
		if same, err := f.o.SameDisk(f.o.Dir, own); err != nil {
			return err
		} else if same {
			return errSame
		}
	}
	return nil
}

// errSame is why nothing is written that anybody could read who gets at the gateway's disk.
var errSame = errors.New("the folder of the archive lies on the gateway's own disk, and the copies are not encrypted; mount the share of the archive there, or give the archive a certificate")

// Name is the file of a copy, in a folder for its day: the time at which the message was accepted, in UTC, and the id of the copy. Names sort by time.
func Name(received time.Time, id mail.ID) string {
	t := received.UTC()
	return path.Join(t.Format("2006-01-02"), t.Format("20060102T150405.000Z")+"-"+string(id)+".eml")
}

// Deliver implements delivery.Transport. A copy whose file is there already was written before.
func (f *Folder) Deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	result := delivery.Result{Status: delivery.Delivered, Host: "folder", Text: "written"}
	if err := f.write(ctx, a); err != nil {
		var path *fs.PathError
		result = delivery.Result{Status: delivery.Deferred, Text: err.Error(), Unreachable: errors.Is(err, errSame) || errors.As(err, &path)}
	}
	results := make([]delivery.Result, len(a.Envelope.Recipients))
	for i := range results {
		results[i] = result
	}
	return results
}

// write puts the content into its file: whole and durable, or not at all.
func (f *Folder) write(ctx context.Context, a delivery.Attempt) error {
	if err := f.apart(); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.o.Dir) // nothing is written outside, whatever links are in it
	if err != nil {
		return err
	}
	defer root.Close()
	name := Name(a.Envelope.Received, a.Envelope.ID)
	day := path.Dir(name)
	switch err := root.Mkdir(day, 0o700); {
	case err == nil:
		if err := sync(root, "."); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
		return sync(root, day) // a rename that was not yet durable when the gateway ended
	}
	part := path.Join(day, "."+string(a.Envelope.ID)+".part")
	if err := root.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an attempt that was killed
		return err
	}
	if err := fill(ctx, root, part, a.Content); err != nil {
		root.Remove(part)
		return err
	}
	if err := root.Rename(part, name); err != nil {
		root.Remove(part)
		return err
	}
	return sync(root, day)
}

// fill makes a file with the content, synced.
func fill(ctx context.Context, root *os.Root, name string, content mail.Content) (err error) {
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, w.Close())
	}()
	n, err := io.Copy(w, during{ctx, r})
	if err != nil {
		return err
	}
	if n != content.Size() {
		return fmt.Errorf("folder: %d bytes of a copy that has %d", n, content.Size())
	}
	return w.Sync()
}

// sync makes what happened to the names in a folder durable.
func sync(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) { // QUIRK: shares of Windows servers, whose own journal keeps names
		err = nil
	}
	return errors.Join(err, d.Close())
}

// during is a reader that ends with its context.
type during struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (d during) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.r.Read(p)
}
