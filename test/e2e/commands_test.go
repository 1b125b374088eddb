package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// command is one of a script; neg tells the ! before it.
type command func(ctx context.Context, ts *testscript.TestScript, w *world, neg bool, args []string) error

// commands are those that scripts have beside testscript's own.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for name, c := range map[string]struct {
		usage    string
		min, max int
		run      command
	}{
		"postfix":    {"start|stop company|partner [CERTIFICATE [NAME=VALUE]...]", 2, 6, postfixCommand},
		"unbound":    {"FILE|stop", 1, 1, unboundCommand},
		"settings":   {"FILE", 1, 1, settingsCommand},
		"gateway":    {"start|stop|kill|reload", 1, 1, gatewayCommand},
		"receive":    {"company|partner MAILBOX FILE", 3, 3, receiveCommand},
		"nothing":    {"company|partner", 1, 1, nothingCommand},
		"logged":     {"PATTERN", 1, 1, loggedCommand},
		"queue":      {"COUNT", 1, 1, queueCommand},
		"retry":      {"", 0, 0, retryCommand},
		"peak":       {"MEGABYTES", 1, 1, peakCommand},
		"field":      {"MESSAGE NAME [PATTERN]", 2, 3, fieldCommand},
		"random":     {"FILE BYTES", 2, 2, randomCommand},
		"gnupg":      {"FILE.pem", 1, 1, gnupgCommand},
		"attachment": {"MESSAGE NAME FILE", 3, 3, attachmentCommand},
		"split":      {"SIGNED CONTENT SIGNATURE", 3, 3, splitCommand},
		"join":       {"CONTENT SIGNATURE SIGNED", 3, 3, joinCommand},
		"wrap":       {"DER HEADER MESSAGE", 3, 3, wrapCommand},
		"talk":       {"ADDRESS|FILE", 1, 1, talkCommand},
		"flood":      {"ADDRESS FROM TO COUNT", 4, 4, floodCommand},
		"flagged":    {"inside|outside CASES", 2, 2, flaggedCommand},
		"complete":   {"company|partner MAILBOX", 2, 2, completeCommand},
	} {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if len(args) < c.min || len(args) > c.max {
				ts.Fatalf("usage: %s %s", name, c.usage)
			}
			ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("nothing came within %s", patience))
			defer cancel()
			w := ts.Value(worldKey{}).(*world)
			if err := c.run(ctx, ts, w, neg, args); err != nil {
				if w.gateway != nil {
					ts.Logf("the gateway's log:\n%s", w.gateway.Log())
				}
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return all
}

// postfix start|stop company|partner [CERTIFICATE [NAME=VALUE]...]: runs a mail server, with CERTIFICATE.pem for
// STARTTLS (tls.pem), and with more lines in its main.cf.
func postfixCommand(ctx context.Context, _ *testscript.TestScript, w *world, _ bool, args []string) error {
	if args[0] == "stop" {
		return w.servers[args[1]].stop()
	}
	certificate := "tls"
	if len(args) >= 3 {
		certificate = args[2]
	}
	settings := map[string]string{}
	for _, arg := range args[min(len(args), 3):] {
		name, value, _ := strings.Cut(arg, "=")
		settings[name] = value
	}
	w.servers[args[1]].options.Settings = settings
	return w.start(ctx, args[1], certificate)
}

// settings FILE: changes the top-level sections of the configuration to those of FILE.
func settingsCommand(_ context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	return w.configure(ts.Getenv, []byte(ts.ReadFile(args[0])))
}

// gateway start|stop|kill|reload: runs siegel serve; kill is SIGKILL, reload SIGHUP.
func gatewayCommand(ctx context.Context, _ *testscript.TestScript, w *world, _ bool, args []string) (err error) {
	switch args[0] {
	case "start":
		w.gateway, err = w.serve(ctx)
	case "stop":
		err = w.gateway.Stop(ctx)
	case "kill":
		w.gateway.Kill()
	case "reload":
		err = w.gateway.Reload(ctx)
	default:
		err = fmt.Errorf("%s is unknown", args[0])
	}
	return err
}

// receive company|partner MAILBOX FILE: waits for the next message in a mailbox and writes it to FILE.
func receiveCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	message, err := w.servers[args[0]].server.Next(ctx, args[1])
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[2]), message, 0o600)
}

// nothing company|partner: holds that no message came that was not received.
func nothingCommand(_ context.Context, _ *testscript.TestScript, w *world, _ bool, args []string) error {
	n, err := w.servers[args[0]].server.Waiting()
	if err == nil && n > 0 {
		err = fmt.Errorf("%d messages came", n)
	}
	return err
}

// logged PATTERN: waits for a line in the gateway's log; with ! it holds that there is none by now.
func loggedCommand(ctx context.Context, _ *testscript.TestScript, w *world, neg bool, args []string) error {
	if !neg {
		return w.gateway.WaitLog(ctx, args[0])
	}
	re, err := regexp.Compile("(?m)" + args[0])
	if err == nil && re.MatchString(w.gateway.Log()) {
		err = fmt.Errorf("the log holds %q", args[0])
	}
	return err
}

// retry: runs `siegel queue retry` for every message in the queue.
func retryCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, _ []string) error {
	out, err := w.siegel(ctx, ts, "queue", "list", "--json")
	if err != nil {
		return err
	}
	args := []string{"queue", "retry"}
	for _, id := range regexp.MustCompile(`"id": "([^"]+)"`).FindAllStringSubmatch(string(out), -1) {
		args = append(args, id[1])
	}
	_, err = w.siegel(ctx, ts, args...)
	return err
}

// siegel runs a command against the running gateway.
func (w *world) siegel(ctx context.Context, ts *testscript.TestScript, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, w.binary, append(args, "--socket", ts.Getenv("SIEGEL_SOCKET"))...).CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("siegel %v: %w\n%s", args, err, out)
	}
	return out, nil
}

// queue COUNT: waits until the queue holds so many messages.
func queueCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	want := "^" + args[0] + " messages,"
	if args[0] == "0" {
		want = "holds no such message"
	}
	re := regexp.MustCompile("(?m)" + want)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		out, err := w.siegel(ctx, ts, "queue", "list")
		if err == nil && re.Match(out) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the list is\n%s", context.Cause(ctx), out)
		case <-ticker.C:
		}
	}
}

// peak MEGABYTES: holds that the gateway had no more memory than that.
func peakCommand(_ context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	most, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	got, err := w.gateway.PeakMemory()
	if err != nil {
		return err
	}
	ts.Logf("peak of memory: %d MB", got>>20)
	if got > most<<20 {
		return fmt.Errorf("the gateway had %d MB of memory", got>>20)
	}
	return nil
}

// random FILE BYTES: writes bytes that compress to nothing, the same each time.
func randomCommand(_ context.Context, ts *testscript.TestScript, _ *world, _ bool, args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	content := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(content)
	return os.WriteFile(ts.MkAbs(args[0]), content, 0o600)
}

// gnupg FILE.pem: makes a home for gpgsm that trusts the authority and has the key of FILE.
func gnupgCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	home := ts.Getenv("GNUPGHOME")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"trustlist.txt", "gpg-agent.conf"} {
		if err := os.WriteFile(home+"/"+name, []byte(ts.ReadFile(name)), 0o600); err != nil {
			return err
		}
	}
	settings := "batch\nyes\ndisable-crl-checks\ndisable-dirmngr\ndisable-policy-checks\npinentry-mode loopback\npassphrase-fd 0\n"
	if err := os.WriteFile(home+"/gpgsm.conf", []byte(settings), 0o600); err != nil {
		return err
	}
	for _, step := range []string{
		"openssl pkcs12 -export -legacy -in '" + args[0] + "' -certfile ca.pem -passout pass:x -out bundle.p12",
		"echo x | gpgsm --import bundle.p12", "gpgsm --import alice.crt </dev/null",
	} {
		cmd := exec.CommandContext(ctx, "sh", "-c", step)
		cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "GNUPGHOME="+home)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", step, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
