package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// Places say where an archive is put.
type Places struct {
	Config string // folder of the configuration file; empty: where it was
	State  string // empty: where it was
	// Replace moves what is there aside, under a name with "before-restore" and the time; else it is ErrExists.
	Replace bool
	Now     time.Time
}

// elsewhere is the folder, within that of a configuration that is put elsewhere, of the files that lay outside of it.
const elsewhere = "elsewhere"

// Place puts everything into its place: nothing before it is known that all can be, and where something fails all the same, what was
// there before stands there again; the error says so, or what stands where. It returns where the configuration file is now, and what was
// moved aside.
func (o *Opened) Place(p Places) (config string, aside []string, err error) {
	if p.State == "" {
		p.State = o.State
	}
	moves, config := o.moves(p)
	if err := unused(p.State); err != nil {
		return "", nil, err
	}
	o.bequeath(moves, p.State)
	if aside, err = o.standing(p, moves); err != nil {
		return "", nil, err
	}
	var done trail
	for _, path := range aside {
		if err := done.aside(path, asideName(path, p.Now)); err != nil {
			return "", nil, done.back(fmt.Errorf("snapshot: %w", err))
		}
	}
	err = o.placeState(&done, p.State, moves)
	for _, m := range moves {
		if err == nil && !m.state {
			err = m.do(&done)
		}
	}
	if err != nil {
		return "", nil, done.back(fmt.Errorf("snapshot: %w", err))
	}
	return config, aside, nil
}

// unused says that a gateway runs on a state folder, where one does. It is looked at as the user of that folder, who may have put links there.
func unused(state string) error {
	return AsOwner(state, func() error {
		running, err := sqlqueue.InUse(filepath.Join(state, queueName))
		if running {
			return fmt.Errorf("a gateway runs on %s; stop it first", state)
		}
		return err
	})
}

// move is one file, or folder, on its way.
type move struct {
	member
	from, to string
	state    bool
}

// moves says where each member goes.
func (o *Opened) moves(p Places) (all []move, config string) {
	home := filepath.Dir(o.Config)
	for _, m := range o.members {
		from := filepath.Join(o.dir, filepath.FromSlash(m.Name))
		if rel, ok := strings.CutPrefix(m.Name, statePrefix); ok {
			all = append(all, move{m, from, filepath.Join(p.State, filepath.FromSlash(rel)), true})
			continue
		}
		to := string(filepath.Separator) + filepath.FromSlash(strings.TrimPrefix(m.Name, filesPrefix))
		if p.Config != "" {
			rel, err := filepath.Rel(home, to)
			if err != nil || !filepath.IsLocal(rel) {
				rel = filepath.Join(elsewhere, to)
			}
			if to == o.Config {
				config = filepath.Join(p.Config, rel)
			}
			to = filepath.Join(p.Config, rel)
		}
		all = append(all, move{m, from, to, false})
	}
	if config == "" {
		config = o.Config
	}
	return all, config
}

// standing lists what is in the way: the members of a state folder that is not empty, and files that are not the same.
func (o *Opened) standing(p Places, moves []move) (all []string, err error) {
	list, err := os.ReadDir(p.State)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	for _, e := range list {
		if !strings.Contains(e.Name(), beforeRestore) && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, filepath.Join(p.State, e.Name()))
		}
	}
	for _, m := range moves {
		if m.state {
			continue
		}
		folder := m.to
		if !m.Mode.IsDir() {
			folder = filepath.Dir(m.to)
		}
		if file := noFolder(folder); file != "" {
			if !slices.Contains(all, file) {
				all = append(all, file)
			}
			continue
		}
		if m.Mode.IsDir() {
			continue
		}
		if info, err := os.Lstat(m.to); err == nil && !(info.Mode().IsRegular() && sameFile(m.from, m.to)) {
			all = append(all, m.to)
		}
	}
	if len(all) > 0 && !p.Replace {
		return nil, fmt.Errorf("%w: %s; nothing was changed. Restore to another place, or let --replace move it aside", ErrExists, strings.Join(all[:min(len(all), 5)], ", "))
	}
	return all, nil
}

// noFolder is what is no folder where one has to be, at the path or above it; empty where nothing is.
func noFolder(path string) string {
	for ; ; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err == nil {
			if info.IsDir() {
				return ""
			}
			return path
		}
		if path == filepath.Dir(path) {
			return ""
		}
	}
}

// maxSame is how much two files may hold that are compared in memory.
const maxSame = 64 << 20

// sameFile reports whether two files hold the same.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA != nil || errB != nil || infoA.Size() != infoB.Size() || infoA.Size() > maxSame {
		return false
	}
	dataA, errA := os.ReadFile(a)
	dataB, errB := os.ReadFile(b)
	return errA == nil && errB == nil && string(dataA) == string(dataB)
}

const beforeRestore = ".before-restore-"

func asideName(path string, now time.Time) string {
	return path + beforeRestore + now.UTC().Format("20060102T150405Z")
}

// do puts a file, or folder, of the configuration into its place, with mode and owner: it has them before anybody else may reach it. A rename is
// not enough: the place may lie on another file system, and a file that is the same stays.
func (m move) do(done *trail) error {
	if m.Mode.IsDir() {
		return makeFolder(done, m.to, m.Mode.Perm(), m.User, m.Group)
	}
	if err := makeFolder(done, filepath.Dir(m.to), 0o700, m.User, m.Group); err != nil {
		return err
	}
	if _, err := os.Lstat(m.to); err == nil {
		return nil // standing saw that it is the same
	}
	if err := errors.Join(os.Chmod(m.from, m.Mode.Perm()), give(m.from, m.User, m.Group)); err != nil {
		return err
	}
	if err := os.Rename(m.from, m.to); err != nil {
		if err := copyFile(m.from, m.to); err != nil {
			return err
		}
	}
	done.made(m.to)
	return nil
}

// makeFolder makes a folder, and those above it, that are missing.
func makeFolder(done *trail, dir string, mode fs.FileMode, user, group int) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	above := filepath.Dir(dir)
	if err := makeFolder(done, above, 0o755, user, group); above != dir && err != nil {
		return err
	}
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	done.made(dir)
	return give(dir, user, group)
}

// give gives a file to the user it belonged to; only root can.
func give(path string, user, group int) error {
	if os.Geteuid() != 0 || user < 0 || group < 0 {
		return nil
	}
	return os.Lchown(path, user, group)
}

// Own gives a file, or a folder with what lies in it, to the user that the state folder belongs to, as whom the gateway runs: what root
// wrote there it could not read. Only root can, and only for root anything is done. That user may write into the state folder meanwhile:
// nothing that a link leads to outside of it is touched.
func Own(state, path string) error {
	info, err := os.Stat(state)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	user, group := owner(info)
	if os.Geteuid() != 0 || user < 0 || group < 0 {
		return nil
	}
	above, name := filepath.Split(path)
	if within(path, state) {
		above, name = state, strings.TrimPrefix(strings.TrimPrefix(path, state), string(filepath.Separator))
	}
	root, err := os.OpenRoot(above)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), name, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(name, user, group)
	})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}
