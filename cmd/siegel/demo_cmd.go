package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/siegel-mail/siegel/cmd/siegel/demo"
)

// demoCmd shows the gateway at work.
type demoCmd struct {
	Once   bool   `help:"End after the two messages."`
	DeMail bool   `name:"de-mail" help:"Show a De-Mail instead, by two SIMULATED providers: from one gateway to another, with its confirmations and its evidence."`
	Keep   string `type:"path" placeholder:"DIR" help:"Leave messages, certificates and keys, or the evidence, in DIR."`
}

// Run tells the story on out.
func (d *demoCmd) Run(out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := demo.Run
	if d.DeMail {
		run = demo.RunDeMail
	}
	return run(ctx, demo.Options{Once: d.Once, Keep: d.Keep, Out: out})
}
