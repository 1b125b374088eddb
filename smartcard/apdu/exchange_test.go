package apdu

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// script is a card that expects commands and gives the answers to them, in hexadecimal, in turn.
type script struct {
	t     *testing.T
	lines [][2]string
}

func (s *script) transmit(command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.lines) == 0 {
		s.t.Fatalf("unexpected: %x", command)
	}
	line := s.lines[0]
	s.lines = s.lines[1:]
	if !bytes.Equal(command, unhex(s.t, line[0])) {
		s.t.Fatalf("sent %x, want %s", command, line[0])
	}
	return unhex(s.t, line[1]), nil
}

func TestExchange(t *testing.T) {
	ab := func(n int) string { return strings.Repeat("AB", n) }
	get := Command{INS: GetData, P1: 0x3F, P2: 0xFF, Data: []byte{0x5C, 1, 0x7E}, Ne: 256}
	for _, c := range []struct {
		name    string
		command Command
		options Options
		lines   [][2]string
		status  Status
		octets  int
	}{
		{"plain", get, Options{}, [][2]string{{"00CB3FFF035C017E00", "01029000"}}, OK, 2},
		{"failure", get, Options{}, [][2]string{{"00CB3FFF035C017E00", "6A82"}}, NotFound, 0},
		{"more waits", get, Options{}, [][2]string{{"00CB3FFF035C017E00", ab(256) + "6100"}, {"00C0000000", ab(256) + "6105"}, {"00C0000005", ab(5) + "9000"}}, OK, 517},
		{"nothing in the first answer", get, Options{}, [][2]string{{"00CB3FFF035C017E00", "6102"}, {"00C0000002", "01029000"}}, OK, 2},
		{"wrong Le", Command{INS: ReadBinary, Ne: 256}, Options{}, [][2]string{{"00B0000000", "6C20"}, {"00B0000020", ab(32) + "9000"}}, OK, 32},
		{"wrong Le of more", get, Options{}, [][2]string{{"00CB3FFF035C017E00", "6110"}, {"00C0000010", "6C04"}, {"00C0000004", ab(4) + "9000"}}, OK, 4},
		{"wrong Le twice", Command{INS: ReadBinary, Ne: 256}, Options{}, [][2]string{{"00B0000000", "6C20"}, {"00B0000020", "6C21"}}, 0x6C21, 0},
		{"wrong Le of an extended command", Command{INS: ReadBinary, Ne: 1000}, Options{Extended: true}, [][2]string{{"00B000000003E8", "6C02"}, {"00B0000002", "01029000"}}, OK, 2},
		{"wrong Le where none was", Command{INS: Select, P2: 0x0C, Data: []byte{0x3F, 0}}, Options{}, [][2]string{{"00A4000C023F00", "6C20"}}, 0x6C20, 0},
		{"channel kept, no chaining", Command{CLA: 0x11, INS: GetData, Ne: 256}, Options{}, [][2]string{{"11CB000000", "6101"}, {"01C0000001", "AA9000"}}, OK, 1},
		{"end of file with data", Command{INS: ReadBinary, Ne: 256}, Options{}, [][2]string{{"00B0000000", ab(3) + "6282"}}, EndOfFile, 3},
		{"failure after the first piece", get, Options{}, [][2]string{{"00CB3FFF035C017E00", ab(256) + "6100"}, {"00C0000000", "6F00"}}, 0x6F00, 256},
		{"in parts", Command{INS: GeneralAuthenticate, P1: 7, P2: 0x9A, Data: unhex(t, ab(260)), Ne: 256}, Options{}, [][2]string{{"1087079AFF" + ab(255), "9000"}, {"0087079A05" + ab(5) + "00", "019000"}}, OK, 1},
		{"parts refused", Command{INS: GeneralAuthenticate, Data: unhex(t, ab(260)), Ne: 256}, Options{}, [][2]string{{"10870000FF" + ab(255), "6884"}}, ChainUnsupported, 0},
		{"extended", Command{INS: PerformSecurity, P1: 0x80, P2: 0x86, Data: unhex(t, ab(257)), Ne: 256}, Options{Extended: true}, [][2]string{{"002A8086000101" + ab(257) + "0100", ab(256) + "9000"}}, OK, 256},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{t, c.lines}
			r, err := Exchange(s.transmit, c.command, c.options)
			if err != nil || r.Status != c.status || len(r.Data) != c.octets || len(s.lines) != 0 {
				t.Errorf("%v, %d octets, %v; %d lines left", r.Status, len(r.Data), err, len(s.lines))
			}
		})
	}
}

// A PIN goes to the card once, whatever the card asks for: each time may cost a try.
func TestExchangePresentsSecretOnce(t *testing.T) {
	for _, ins := range []byte{Verify, ChangeReference, ResetRetryCounter} {
		for _, sw := range []string{"6C08", "6700", "63C2", "6F00"} {
			sent := 0
			_, err := Exchange(func([]byte) ([]byte, error) { sent++; return unhex(t, sw), nil }, Command{INS: ins, P2: 0x80, Data: []byte("123456"), Ne: 256}, Options{})
			if err != nil || sent != 1 {
				t.Errorf("%s after %s: sent %d times, %v", sw, Instruction(ins), sent, err)
			}
		}
	}
}

func TestExchangeWipesCommand(t *testing.T) {
	var kept []byte
	_, err := Exchange(func(b []byte) ([]byte, error) { kept = b; return []byte{0x90, 0}, nil }, Command{INS: Verify, Data: []byte("123456")}, Options{})
	if err != nil || !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Errorf("%x, %v", kept, err)
	}
}

func TestExchangeBounds(t *testing.T) {
	endless := append(bytes.Repeat([]byte{1}, 256), 0x61, 0)
	for name, c := range map[string]struct {
		answer  []byte
		options Options
		want    error
		calls   int
	}{
		"too much":            {endless, Options{}, ErrUnbounded, 257},
		"a smaller bound":     {endless, Options{MaxAnswer: 1000}, ErrUnbounded, 4},
		"one octet at a time": {[]byte{1, 0x61, 1}, Options{}, ErrUnbounded, maxPieces + 1},
		"nothing":             {[]byte{0x61, 1}, Options{}, ErrUnbounded, 2},
		"no status":           {[]byte{0x90}, Options{}, ErrAnswer, 1},
		"empty":               {nil, Options{}, ErrAnswer, 1},
		"garbage":             {[]byte("garbage\xde\xad"), Options{}, ErrAnswer, 1},
		"60":                  {[]byte{0x60, 0}, Options{}, ErrAnswer, 1},
		"huge":                {make([]byte, 70000), Options{}, ErrAnswer, 1},
	} {
		calls := 0
		r, err := Exchange(func([]byte) ([]byte, error) { calls++; return c.answer, nil }, Command{INS: GetData, Ne: 256}, c.options)
		if !errors.Is(err, c.want) || calls != c.calls || r.Data != nil {
			t.Errorf("%s: %v after %d calls, %d octets", name, err, calls, len(r.Data))
		}
	}
}

func TestExchangePassesErrors(t *testing.T) {
	removed := errors.New("the card is gone")
	for _, at := range []int{1, 2, 3} {
		n := 0
		_, err := Exchange(func([]byte) ([]byte, error) {
			if n++; n == at {
				return nil, removed
			}
			if n == 1 {
				return []byte{0x90, 0}, nil
			}
			return []byte{1, 0x61, 1}, nil
		}, Command{INS: GeneralAuthenticate, Data: make([]byte, 300), Ne: 256}, Options{})
		if !errors.Is(err, removed) || n != at {
			t.Errorf("at call %d: %v after %d", at, err, n)
		}
	}
	if _, err := Exchange(nil, Command{Ne: -1}, Options{Extended: true}); !errors.Is(err, ErrCommand) {
		t.Error(err)
	}
}

// Whatever a card answers, a bounded number of commands goes to it, and no more comes back than was allowed.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("\x03\x01\x61\x02\x02\x90\x00"), uint16(300), false)
	f.Add([]byte("\x02\x6c\x05\x04ab\x90\x00"), uint16(3), true)
	f.Fuzz(func(t *testing.T, answers []byte, octets uint16, extended bool) {
		calls := 0
		transmit := func(command []byte) ([]byte, error) {
			if calls++; calls > 2*(maxParts+maxPieces) {
				t.Fatal("no end")
			}
			if _, err := Parse(command); err != nil {
				t.Fatalf("%x: %v", command, err)
			}
			if len(answers) == 0 {
				return nil, fmt.Errorf("removed")
			}
			n := min(int(answers[0]), len(answers)-1)
			a := answers[1 : 1+n]
			answers = answers[1+n:]
			return a, nil
		}
		r, err := Exchange(transmit, Command{INS: GetData, Data: make([]byte, octets%2000), Ne: 256}, Options{Extended: extended, MaxAnswer: 700})
		if err == nil && len(r.Data) > 700 {
			t.Fatalf("%d octets", len(r.Data))
		}
	})
}
