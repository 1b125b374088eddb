package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardWatchCmd shows changes as they happen.
type smartcardWatchCmd struct {
	Reader string `placeholder:"NAME" help:"Only readers of this name, in which * stands for any characters."`
	JSON   bool   `name:"json" help:"Print JSON, an object a line."`
}

// Run writes a line for what is there and for each change, until it is interrupted.
func (c *smartcardWatchCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	ctx, stop := interrupted()
	defer stop()
	return c.watch(ctx, k.Stdout, t)
}

// watch is Run until ctx ends, or nobody reads what it writes.
func (c *smartcardWatchCmd) watch(ctx context.Context, w io.Writer, t smartcard.Transport) error {
	d, err := openCards(t, smartcard.Selection{Reader: c.Reader}, cardPINs{})
	if err != nil {
		return err
	}
	defer d.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	err = survey.Follow(ctx, d.Options, func(e survey.Event) {
		if err := c.line(w, e); err != nil && failed == nil {
			failed = err
			cancel()
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

func (c *smartcardWatchCmd) line(w io.Writer, e survey.Event) error {
	if c.JSON {
		var indented, line bytes.Buffer
		err := safetext.JSON(&indented, e)
		if err == nil {
			err = json.Compact(&line, indented.Bytes())
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", &line)
		}
		return err
	}
	who := "service"
	if e.Reader != "" {
		who = safetext.Line(e.Reader, 128)
	}
	_, err := fmt.Fprintf(w, "%s  %s: %s\n", e.At.Format("15:04:05"), who, safetext.Line(e.Text, 1024))
	return err
}
