// Command siegel is the secure-mail gateway and the tools of its administrator; what it does lives in the packages it wires.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/cmd/siegel/smimetool"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/pcsc"
)

// version is what --version, the greeting and the log say.
const version = "0.1.0"

// cli is the command line.
type cli struct {
	Serve   serveCmd         `cmd:"" help:"Run the gateway."`
	Demo    demoCmd          `cmd:"" help:"Send a message through a gateway with everything around it, on this machine alone."`
	Config  configCmd        `cmd:"" help:"Check and show the configuration."`
	Queue   queueCmd         `cmd:"" help:"Look into the queue of the running gateway, and change it."`
	Explain explainCmd       `cmd:"" help:"Say what would become of a message, and which line of the configuration says so."`
	Held    quarantineCmd    `cmd:"" name:"quarantine" help:"Mail that waits until a person has decided: look at it, release it, return it, delete it."`
	Policy  policyCmd        `cmd:"" help:"Look after the policy: hold it to tests."`
	Track   trackCmd         `cmd:"" help:"Find a message that went through the gateway, and tell what happened to it."`
	Certs   certsCmd         `cmd:"" help:"Look after certificates and keys: import, list, trust, export, and more."`
	Backup  backupCmd        `cmd:"" help:"Write queue, stores, keys and configuration into one encrypted file, beside the running gateway."`
	Restore restoreCmd       `cmd:"" help:"Put a gateway back from the file that backup wrote, after every part of it was checked."`
	Dirs    directoryCmd     `cmd:"" name:"directory" help:"Look into the LDAP directories of the configuration."`
	Audit   auditCmd         `cmd:"" help:"Read the log of what administrators did, and prove that it is whole."`
	SMIME   smimeCmd         `cmd:"" name:"smime" help:"Sign, encrypt, decrypt and judge single messages."`
	DKIM    dkimCmd          `cmd:"" name:"dkim" help:"Keys and DNS records for signing mail by DKIM."`
	DeMail  demailCmd        `cmd:"" name:"demail" help:"De-Mail: what was sent and fetched, its evidence, the way to a provider, profiles of web services, rehearsals with simulated providers."`
	TLS     tlsCmd           `cmd:"" name:"tls" help:"Look into TLS: of others, of the gateway, and what it publishes."`
	Cards   smartcardCmd     `cmd:"" name:"smartcard" help:"Smart cards and their readers."`
	Outlook outlookCmd       `cmd:"" name:"outlook" help:"The add-in for Outlook: its manifests, and whether what it rests on works."`
	Texts   textsCmd         `cmd:"" help:"What users are told: the texts in force."`
	Reload  reloadCmd        `cmd:"" help:"Make the running gateway read its configuration again."`
	Version kong.VersionFlag `help:"Show the version."`
}

// The exit codes of every subcommand.
const (
	exitDone   = 0
	exitFailed = 1 // what was asked for failed
	exitUsage  = 2 // it was not clear what was asked for
)

// errSaid is the error of a command that has said already what went wrong.
var errSaid = errors.New("failed")

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes a command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return runAt(pcsc.New(), args, stdout, stderr)
}

// runAt is run with other readers of smart cards than those of the system.
func runAt(readers smartcard.Transport, args []string, stdout, stderr io.Writer) int {
	done := -1
	parser, err := kong.New(&cli{},
		kong.Name("siegel"),
		kong.Description("Siegel signs and encrypts mail that leaves the company, and decrypts and verifies mail that comes in."),
		kong.Vars{"version": "siegel " + version, "vpcd": cardtest.VPCDAddress},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { done = code }),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.BindTo(readers, (*smartcard.Transport)(nil)),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	command, err := parser.Parse(args)
	switch {
	case done >= 0: // --help or --version
		return done
	case err != nil:
		fmt.Fprintf(stderr, "siegel: %v\nsiegel --help shows the commands, siegel COMMAND --help what each takes.\n", err)
		if smimetool.WantsJSON(args) {
			smimetool.FailJSON(stdout, err)
		}
		return exitUsage
	}
	if err := command.Run(); err != nil {
		if text := err.Error(); text != "" && !errors.Is(err, errSaid) {
			fmt.Fprintf(stderr, "siegel: %s\n", text)
		}
		return exitCode(err)
	}
	return exitDone
}

// exitCode is that of an error which has one, else exitFailed.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitFailed
}
