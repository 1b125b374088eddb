package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// AsOwner does something as the user to whom the state folder belongs, as whom the gateway runs, where root runs this program: that user
// can put links and pipes into the folder at any moment, and they lead where that user may go only. For anybody else, and where the
// folder is root's or is not there, it just does it. The whole process is that user meanwhile, so nothing else may go on in it.
func AsOwner(state string, do func() error) error {
	info, err := os.Stat(state)
	if errors.Is(err, fs.ErrNotExist) {
		return do()
	}
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	uid, gid := owner(info)
	if os.Geteuid() != 0 || uid <= 0 || gid < 0 {
		return do()
	}
	back, err := become(uid, gid)
	if err != nil {
		return fmt.Errorf("snapshot: becoming the user %d, to whom %s belongs: %w", uid, state, err)
	}
	err = do()
	return errors.Join(err, back())
}

// become takes the groups and the effective identity of a user. Root stays the real one, which no file is opened by.
func become(uid, gid int) (back func() error, err error) {
	before, err := syscall.Getgroups()
	if err != nil {
		return nil, err
	}
	beforeGroup := syscall.Getegid()
	back = func() error {
		return errors.Join(syscall.Seteuid(0), syscall.Setegid(beforeGroup), syscall.Setgroups(before))
	}
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(groupsOf(uid, gid)) },
		func() error { return syscall.Setegid(gid) },
		func() error { return syscall.Seteuid(uid) },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, back())
		}
	}
	return back, nil
}

// groupsOf are the groups of a user, by which it may read keys of TLS; the one of its folder where nobody knows it by name.
func groupsOf(uid, gid int) []int {
	groups := []int{gid}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return groups
	}
	names, err := u.GroupIds()
	if err != nil {
		return groups
	}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && id != 0 {
			groups = append(groups, id)
		}
	}
	return groups
}
