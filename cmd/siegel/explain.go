package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// explainCmd says what would become of a message that nobody sends.
type explainCmd struct {
	controlFlags
	From     string   `placeholder:"ADDRESS" help:"Who writes: the sender of the envelope, and the author. Where --file is given it may be left out."`
	To       []string `placeholder:"ADDRESS" sep:"none" help:"Who gets it; may be given more than once. Where --file is given its header says it."`
	Cc       []string `name:"cc" placeholder:"ADDRESS" sep:"none" help:"Who gets it and stands in Cc."`
	Bcc      []string `name:"bcc" placeholder:"ADDRESS" sep:"none" help:"Who gets it and stands nowhere."`
	Subject  string   `placeholder:"TEXT" help:"The subject, with tags in it."`
	Header   []string `short:"H" placeholder:"FIELD" sep:"none" help:"A further field, as in \"X-Siegel-Encrypt: yes\"; may be given more than once."`
	Listener string   `placeholder:"NAME" help:"The listener that takes it. Without: the first that takes mail of this sender."`
	Size     int64    `placeholder:"BYTES" help:"How large the whole message is."`
	Client   string   `placeholder:"IP" help:"The address of the server that hands the message over, for mail from outside: with --file, SPF, DKIM and DMARC are asked."`
	Helo     string   `placeholder:"NAME" help:"The name that this server gives itself."`
	File     string   `type:"path" placeholder:"FILE" help:"A whole message in a file. --subject and --header are put into its header; --from, --to, --cc and --bcc are then the envelope alone."`
	Offline  bool     `help:"Ask no gateway: answer by the configuration alone, and say what was not looked up."`
	Config   string   `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file for --offline (${default})."`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// Help is what stands below the flags.
func (c *explainCmd) Help() string {
	return "The running gateway answers, by the code that decides on mail and with the certificates, groups and routes of this moment. Nothing comes of it: no message, no record, no " +
		"certificate.\n\nThe exit code is 0 where the message would be taken, also where it would wait; 3 where it would be refused; 1 where there is no answer; 2 where the question is none."
}

// exitRefused is the exit code where the message would be refused.
const exitRefused = 3

// refusedError ends a command whose answer is that a message would be refused.
type refusedError struct{}

// Error is what errSaid says: the answer stands in the output.
func (refusedError) Error() string { return "" }

// ExitCode is that of the command.
func (refusedError) ExitCode() int { return exitRefused }

// Run asks, and prints the answer.
func (c *explainCmd) Run(w io.Writer) error {
	q, err := c.question()
	if err != nil {
		return err
	}
	a, err := c.ask(q)
	if err != nil {
		return printable(err)
	}
	if c.JSON {
		err = printJSON(w, a)
	} else {
		err = printAnswer(w, a)
	}
	if err == nil && a.IsRefused() {
		return refusedError{}
	}
	return err
}

// question is what is asked.
func (c *explainCmd) question() (explain.Question, error) {
	q := explain.Question{From: c.From, To: c.To, Cc: c.Cc, Bcc: c.Bcc, Subject: c.Subject, Header: c.Header, Size: c.Size, Listener: c.Listener, Client: c.Client, Helo: c.Helo}
	if c.Offline && c.Client != "" {
		return q, usageError("--client is for a running gateway: offline nobody asks for SPF, DKIM and DMARC; leave one of the two away")
	}
	if c.File == "" {
		if c.From == "" || len(c.To)+len(c.Cc)+len(c.Bcc) == 0 {
			return q, usageError("say who writes and who gets it: siegel explain --from alice@firma.example --to bob@partner.example; or give a message with --file")
		}
		return q, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return q, printable(err)
	}
	defer f.Close()
	if q.Message, err = io.ReadAll(io.LimitReader(f, explain.MaxMessage+1)); err != nil {
		return q, printable(err)
	}
	if len(q.Message) > explain.MaxMessage {
		return q, fmt.Errorf("%s is larger than %d MiB; give a smaller message, and its size with --size", safetext.Line(c.File, 256), explain.MaxMessage>>20)
	}
	q.Message = withCRLF(q.Message)
	return q, nil
}

// ask asks the running gateway.
func (c *explainCmd) ask(q explain.Question) (explain.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	if c.Offline {
		return c.offline(ctx, q)
	}
	a, err := c.client().Explain(ctx, q)
	var answered *admin.Error
	if err != nil && !errors.As(err, &answered) {
		return a, fmt.Errorf("%w; --offline answers by the configuration alone", err)
	}
	return a, err
}

// withCRLF are the lines of a message as they are on the wire (RFC 5322, 2.3).
func withCRLF(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/32)
	for i, c := range b {
		if c == '\n' && (i == 0 || b[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}
