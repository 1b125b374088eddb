package configs

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Path is a file or folder. In the file it may be relative to the folder of the configuration file; once
// read it is absolute, or empty where the key was not given.
type Path string

// String is the path as the operating system takes it.
func (p Path) String() string { return string(p) }

// Size is a number of bytes.
type Size int64

// sizeUnits are the units of a size, each before those it is a multiple of.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
}

var errSize = errors.New(`this is not a size; write a number with kB, MB, GB (1000) or KiB, MiB, GiB (1024), as in "50 MB"`)

// ParseSize reads a size as in "50 MB"; units are B, kB, MB, GB and KiB, MiB, GiB in any case, and a
// number alone counts bytes.
func ParseSize(s string) (Size, error) {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		return 0, errSize
	}
	name := strings.TrimSpace(s[end:])
	if name == "" {
		name = "B"
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(u.name, name) {
			if n > math.MaxInt64/u.bytes {
				return 0, errSize
			}
			return Size(n * u.bytes), nil
		}
	}
	return 0, errSize
}

// String is the size in the largest unit that gives a whole number, as [ParseSize] reads it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + " " + u.name
		}
	}
	return "0 B"
}

// durationUnits are the units of a duration, longest first.
var durationUnits = []struct {
	name string
	d    time.Duration
}{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

var errDuration = errors.New("this is not a duration; write it as 90s, 5m, 2h, 5d or 1h30m")

// ParseDuration reads a duration as in "5d" or "1h30m", in days, hours, minutes, seconds and milliseconds.
func ParseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	for rest := s; ; {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits < 1 || digits > 9 {
			return 0, errDuration
		}
		n, _ := strconv.Atoi(rest[:digits])
		rest = rest[digits:]
		letters := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if letters < 0 {
			letters = len(rest)
		}
		unit := durationUnit(rest[:letters])
		if unit == 0 || time.Duration(n) > (math.MaxInt64-sum)/unit {
			return 0, errDuration
		}
		sum += time.Duration(n) * unit
		if rest = rest[letters:]; rest == "" {
			return sum, nil
		}
	}
}

func durationUnit(name string) time.Duration {
	for _, u := range durationUnits {
		if u.name == name {
			return u.d
		}
	}
	return 0
}

// FormatDuration is d as [ParseDuration] reads it, rounded down to milliseconds.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range durationUnits {
		if n := d / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

var (
	errBool   = errors.New("this must be true or false")
	errNumber = errors.New("this must be a whole number")
)

// convert reads text into v, which is a field of f's or a member of it.
func convert(v reflect.Value, f *field, text, file string) error {
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 && v.Type() != paragraphsType {
		return errors.New("this holds a line break or control character; write it on one line, without")
	}
	switch v.Type() {
	case patternType:
		return convertWith(v, text, func(s string) (mail.Pattern, error) { return parsePattern(s, f.name == "domains") })
	case prefixType:
		return convertWith(v, text, parseNetwork)
	case pathType:
		v.SetString(absolute(file, text))
		return nil
	case keyFileType:
		if !strings.HasPrefix(text, cardPrefix) && !strings.HasPrefix(text, vaultPrefix) {
			text = absolute(file, text)
		}
		v.SetString(text)
		return nil
	case profileFileType:
		if _, ok := ProfileFile(text).Shipped(); !ok {
			text = absolute(file, text)
		}
		v.SetString(text)
		return nil
	case durationType:
		return convertBounded(v, f, text, ParseDuration)
	case sizeType:
		return convertBounded(v, f, text, ParseSize)
	}
	switch v.Kind() {
	case reflect.String:
		if v.Type() == maybeType {
			return convertWith(v, text, parseMaybe)
		}
		return convertString(v, f, text)
	case reflect.Bool:
		return convertWith(v, text, parseBool)
	case reflect.Int:
		return convertBounded(v, f, text, parseInt)
	}
	panic("configs: a field has a type that is not known: " + v.Type().String())
}

func convertWith[T any](v reflect.Value, text string, parse func(string) (T, error)) error {
	parsed, err := parse(text)
	if err == nil {
		v.Set(reflect.ValueOf(parsed))
	}
	return err
}

// convertBounded also holds the bounds of the field's tags.
func convertBounded[T ~int | ~int64](v reflect.Value, f *field, text string, parse func(string) (T, error)) error {
	parsed, err := parse(text)
	if err != nil {
		return err
	}
	low, errLow := parse(f.min)
	high, errHigh := parse(f.max)
	if errLow == nil && parsed < low || errHigh == nil && parsed > high {
		return fmt.Errorf("this must be between %s and %s", f.min, f.max)
	}
	v.Set(reflect.ValueOf(parsed))
	return nil
}

func convertString(v reflect.Value, f *field, text string) error {
	if len(f.oneof) > 0 && !slices.Contains(f.oneof, text) {
		return errors.New("this must be one of " + strings.Join(f.oneof, ", ") + didYouMean(text, f.oneof))
	}
	v.SetString(text)
	return nil
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, errBool
}

func parseMaybe(s string) (Maybe, error) {
	b, err := parseBool(s)
	return Maybe(strconv.FormatBool(b)), err
}

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errNumber
	}
	return n, nil
}

// parsePattern reads a pattern of addresses, or a bare domain, which stands for the addresses in it.
func parsePattern(s string, domainsOnly bool) (mail.Pattern, error) {
	if s != "" && s != "*" && s != "<>" && !strings.Contains(s, "@") {
		s = "@" + s
	}
	if domainsOnly && s != "*" && !strings.HasPrefix(s, "@") {
		return mail.Pattern{}, errors.New("this must be a domain, as in firma.example or \"*.firma.example\"")
	}
	p, err := mail.ParsePattern(s)
	if err != nil {
		return mail.Pattern{}, errors.New("this is no pattern of addresses" + strings.TrimPrefix(err.Error(), mail.ErrPattern.Error()))
	}
	return p, nil
}

// parseNetwork reads a network, or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("this is no network; write it as in 10.0.0.0/24, 2001:db8::/64 or 10.0.0.5")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("this is an address within a network; write %s for the network or %s for the address", p.Masked(), p.Addr())
	}
	return p, nil
}
