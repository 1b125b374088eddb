package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/siegel-mail/siegel/internal/secret"
)

// secretInput reads secrets one after the other: at the terminal without echo, else the lines of standard input.
type secretInput struct{ lines *bufio.Reader }

// read asks for a secret; on standard input that is no terminal it takes the next line.
func (i *secretInput) read(question string) (secret.String, error) {
	var text string
	var err error
	if terminal() {
		text, err = ask(question)
	} else {
		if i.lines == nil {
			i.lines = bufio.NewReader(io.LimitReader(os.Stdin, maxPassword))
		}
		if text, err = i.lines.ReadString('\n'); errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		text = trimLine(text)
	}
	if err != nil {
		return secret.String{}, fmt.Errorf("the PIN cannot be read: %w", err)
	}
	return secret.New(text), nil
}

// readTwice asks for a secret that replaces another, twice at the terminal.
func (i *secretInput) readTwice(question, again string) (secret.String, error) {
	one, err := i.read(question)
	if err != nil || !terminal() {
		return one, err
	}
	two, err := i.read(again)
	if err == nil && !one.Equal(two.Reveal()) {
		err = errors.New("the two differ; nothing was done, try again")
	}
	return one, err
}

// confirm asks a question that is answered by yes or y; what else is said, or nothing, is no.
func confirm(w io.Writer, question string) (bool, error) {
	if !terminal() {
		return false, errors.New("standard input is no terminal, so that nobody can be asked; say --yes if it is meant")
	}
	fmt.Fprint(w, question+" [y/N] ")
	answer, err := lineOf(os.Stdin)
	return answer == "y" || answer == "yes", err
}
