package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/cmd/siegel/smimetool"
)

// smimeCmd works on single messages; the result is on standard output.
type smimeCmd struct {
	Sign    smimetool.Sign    `cmd:"" help:"Sign a message."`
	Encrypt smimetool.Encrypt `cmd:"" help:"Encrypt a message."`
	Protect smimetool.Protect `cmd:"" help:"Sign a message with its header fields, and encrypt it."`
	Decrypt smimetool.Decrypt `cmd:"" help:"Decrypt a message; a signature in it stays."`
	Verify  smimetool.Verify  `cmd:"" help:"Judge the signatures of a message. Exit code 0: valid, 1: not, 2: no message."`
	Inspect smimetool.Inspect `cmd:"" help:"Show the layers of a message. Exit code 0 whatever the verdict."`
}

// AfterApply gives the commands what they work with; kong calls it.
func (c *smimeCmd) AfterApply(k *kong.Kong, ctx *kong.Context) error {
	signals, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx.Bind(&smimetool.Tool{Ctx: signals, In: os.Stdin, Out: io.Writer(k.Stdout), Now: time.Now})
	return nil
}
