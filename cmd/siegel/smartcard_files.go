package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// createLike makes a file that the owner and the group of another may read, as they may that one, and nobody else.
func createLike(path, like string, data []byte) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	return createAs(path, info, 0o640, data)
}

// createAs makes a file with the owner of another and its permissions, as far as those of most go.
func createAs(path string, like os.FileInfo, most os.FileMode, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if s, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		err = f.Chown(int(s.Uid), int(s.Gid))
	}
	if err == nil {
		err = f.Chmod(like.Mode().Perm() & most)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceFile puts a new text in place of a file, whole or not at all, unless somebody has changed the file meanwhile.
func replaceFile(path string, was, now []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := createAs(fresh, info, os.ModePerm, now); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s is there: another run writes it, or was cut off; remove it then", clean(fresh))
		}
		return err
	}
	is, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(is, was) {
		err = fmt.Errorf("%s has changed meanwhile, and was left as it is; run the command again", clean(path))
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes what was renamed in a folder last.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
