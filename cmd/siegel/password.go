package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
)

// maxPassword bounds a password.
const maxPassword = 4 << 10

// passwordsFrom reads a password from each file; - is the terminal.
func passwordsFrom(files []string) (all []secret.String, err error) {
	for _, file := range files {
		one, err := passwordFrom(file, "Password: ")
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// passwordFrom reads the first line of a file. "-" is standard input: a terminal shows the question, and not the answer.
func passwordFrom(file, question string) (secret.String, error) {
	var text string
	var err error
	switch {
	case file != "-":
		text, err = firstLine(file)
	case terminal():
		text, err = ask(question)
	default:
		text, err = lineOf(os.Stdin)
	}
	if err != nil {
		return secret.String{}, fmt.Errorf("the password cannot be read: %w", err)
	}
	return secret.New(text), nil
}

// terminal reports whether standard input is one.
func terminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// ask asks at the terminal.
func ask(question string) (string, error) {
	fmt.Fprint(os.Stderr, question)
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return string(text), err
}

func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := lineOf(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", safetext.Line(file, 256), err)
	}
	return text, nil
}

// lineOf is the first line, without its end.
func lineOf(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword+1)).ReadString('\n')
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case len(line) > maxPassword:
		return "", errors.New("it is too long for a password")
	}
	return trimLine(line), nil
}

// trimLine is a line without its end.
func trimLine(line string) string { return strings.TrimRight(line, "\r\n") }
