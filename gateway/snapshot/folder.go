package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// heir is whom what belonged to the user of the gateway belongs to now: the one of the state folder that is there. On another machine the same
// number may be that of somebody else, who would get all keys.
func (o *Opened) heir(state string) (user, group int) {
	if info, err := os.Stat(state); err == nil {
		if user, group := owner(info); user > 0 {
			return user, group
		}
	}
	return o.User, o.Group
}

// bequeath says in the moves whom each file belongs to now.
func (o *Opened) bequeath(moves []move, state string) {
	user, group := o.heir(state)
	if user == o.User && group == o.Group {
		return
	}
	for i, m := range moves {
		if m.state || o.User > 0 && m.User == o.User {
			moves[i].User = user
		}
		if m.state || o.Group > 0 && m.Group == o.Group {
			moves[i].Group = group
		}
	}
}

// placeState puts the state into its folder. The user of the gateway may own that folder, and change what is in it at any moment: so all of
// the state gets its modes and owners where it was unpacked, where nobody else may write, and each of its topmost members is moved then, which
// follows no link.
func (o *Opened) placeState(done *trail, state string, moves []move) error {
	from := filepath.Join(o.dir, strings.TrimSuffix(statePrefix, "/"))
	user, group := o.heir(state)
	if err := ready(from, moves, user, group); err != nil {
		return err
	}
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := makeFolder(done, state, 0o700, user, group); err != nil {
		return err
	}
	root, err := os.OpenRoot(state)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, e := range list {
		if err := enter(done, root, filepath.Join(from, e.Name()), filepath.Join(state, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// ready gives the files of the state, and the folders they lie in, their modes and owners.
func ready(from string, moves []move, user, group int) error {
	for _, m := range moves {
		if !m.state {
			continue
		}
		if err := errors.Join(os.Chmod(m.from, m.Mode.Perm()), give(m.from, m.User, m.Group)); err != nil {
			return err
		}
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil
		}
		if err != nil || !d.IsDir() || path == from {
			return err
		}
		return give(path, user, group)
	})
}

// enter moves one member into the state folder, or copies it from another file system.
func enter(done *trail, root *os.Root, from, to string) error {
	name := filepath.Base(to)
	if _, err := root.Lstat(name); err == nil {
		return fmt.Errorf("%s is there already", to)
	}
	err := os.Rename(from, to)
	if err == nil {
		done.did(to+" is from the backup", func() error { return os.Rename(to, from) })
		return nil
	}
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	done.did(to+" is from the backup, in parts", func() error { return root.RemoveAll(name) })
	return copyInto(root, from, name)
}

// copyInto copies a file, or a folder with all that is in it, with modes and owners. Nothing is written through a link that leads out of root.
func copyInto(root *os.Root, from, name string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to := filepath.Join(name, rel)
		if d.IsDir() {
			if err := root.Mkdir(to, 0o700); err != nil {
				return err
			}
			return copyOwner(func(user, group int) error { return root.Lchown(to, user, group) }, info)
		}
		return copyFileInto(root, path, to, info)
	})
}

func copyFileInto(root *os.Root, from, to string, info fs.FileInfo) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, copyOwner(out.Chown, info), out.Chmod(info.Mode().Perm()), out.Sync(), out.Close())
}

// copyOwner gives a copy to the owner of what was copied; only root can.
func copyOwner(chown func(user, group int) error, info fs.FileInfo) error {
	user, group := owner(info)
	if os.Geteuid() != 0 || user < 0 || group < 0 {
		return nil
	}
	return chown(user, group)
}
