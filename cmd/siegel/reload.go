package main

import (
	"context"
	"fmt"
	"io"
)

// reloadCmd makes the running gateway read its configuration again.
type reloadCmd struct {
	controlFlags
}

// Run asks for it; what is wrong with the configuration is the error, one line for each fault.
func (c *reloadCmd) Run(w io.Writer) error {
	if err := c.client().Reload(context.Background()); err != nil {
		return printable(err)
	}
	_, err := fmt.Fprintln(w, "The new configuration is in force.")
	return err
}
