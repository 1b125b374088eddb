package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 3 * time.Minute

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	return stand.Build(context.Background(), buildDir)
})

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-e2e"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// TestScenarios runs each file of testdata.
func TestScenarios(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", Setup: setup, Cmds: commands(), RequireExplicitExec: true, RequireUniqueNames: true,
	})
}

// setup gives a scenario its world: files, ports, and the commands in PATH.
func setup(env *testscript.Env) error {
	path, err := binary()
	if err != nil {
		return err
	}
	files, err := cast()
	if err != nil {
		return err
	}
	if err := write(env.WorkDir, files); err != nil {
		return err
	}
	w := &world{dir: env.WorkDir, binary: path, servers: map[string]*site{}}
	env.Values[worldKey{}] = w
	env.Defer(w.close)
	env.Setenv("PATH", filepath.Dir(path)+string(filepath.ListSeparator)+env.Getenv("PATH")+":/usr/sbin")
	env.Setenv("SIEGEL_SOCKET", filepath.Join(env.WorkDir, "run", "control.sock"))
	env.Setenv("GNUPGHOME", filepath.Join(env.WorkDir, "gnupg"))
	env.Setenv("SWAKS_OPT_helo", "client.example")
	env.Setenv("PASSWORD", scannerPassword)
	for _, name := range []string{"COMPANY", "PARTNER", "INTERNAL", "EXTERNAL", "SUBMISSION", "HTTP", "DNS"} {
		port, err := freeport.Find()
		if err != nil {
			return err
		}
		env.Setenv(name, fmt.Sprintf("127.0.0.1:%d", port))
		env.Setenv(name+"_PORT", strconv.Itoa(port))
	}
	w.sites(env.Getenv)
	return w.configure(env.Getenv, nil)
}
