package main

import (
	"context"
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
	t := &smimetool.Tool{Ctx: context.Background(), In: os.Stdin, Out: k.Stdout, Err: k.Stderr, Now: time.Now}
	ctx.Bind(t)
	// Whatever the command waits for, a signal ends it, and nothing stays behind. SIGPIPE: nobody reads the result.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	go func() {
		s := <-signals
		t.Close()
		code := exitFailed
		if number, ok := s.(syscall.Signal); ok {
			code = signalled + int(number)
		}
		os.Exit(code)
	}()
	return nil
}

// signalled and the number of a signal are the exit code of what it ended, as shells have it.
const signalled = 128
