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
	Once bool   `help:"End after the two messages."`
	Keep string `type:"path" placeholder:"DIR" help:"Leave messages, certificates and keys in DIR."`
}

// Run tells the story on out.
func (d *demoCmd) Run(out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return demo.Run(ctx, demo.Options{Once: d.Once, Keep: d.Keep, Out: out})
}
