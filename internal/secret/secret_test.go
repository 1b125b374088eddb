package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"
)

const planted = "Kastanie-4711"

// outer has the secret where fmt cannot call its methods: in an unexported field.
type outer struct {
	Name   string
	secret secret.String
	list   []secret.String
	byName map[string]secret.String
}

type element struct{ S secret.String }

func nested() outer {
	s := secret.New(planted)
	return outer{"n", s, []secret.String{s}, map[string]secret.String{"a": s}}
}

func TestNoVerbPrintsIt(t *testing.T) {
	s := secret.New(planted)
	o := nested()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%20s", "%.3s"} {
		for _, value := range []any{s, &s, []any{s}, o, &o, struct{ S secret.String }{s}, map[string]any{"k": o}} {
			out := fmt.Sprintf(verb, value)
			if strings.Contains(out, planted) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", planted)) {
				t.Errorf("%s of %T prints the secret: %s", verb, value, out)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if out := fmt.Sprintf(verb, s); out != secret.Redacted {
			t.Errorf("%s gives %q", verb, out)
		}
	}
}

func TestNoEncoderWritesIt(t *testing.T) {
	s := secret.New(planted)
	value := struct {
		S secret.String
		M map[string]secret.String
	}{s, map[string]secret.String{"k": s}}
	j, err := json.Marshal(value)
	if err != nil || string(j) != `{"S":"\u003csecret\u003e","M":{"k":"\u003csecret\u003e"}}` {
		t.Errorf("json: %s, %v", j, err)
	}
	y, err := yaml.Marshal(value)
	if err != nil || strings.Count(string(y), secret.Redacted) != 2 {
		t.Errorf("yaml: %s, %v", y, err)
	}
	x, err := xml.Marshal(element{s})
	if err != nil || !strings.Contains(string(x), "&lt;secret&gt;") {
		t.Errorf("xml: %s, %v", x, err)
	}
	for _, out := range []string{string(j), string(y), string(x)} {
		if strings.Contains(out, planted) {
			t.Errorf("written: %s", out)
		}
	}
}

func TestNoLoggerOrErrorShowsIt(t *testing.T) {
	s := secret.New(planted)
	var out bytes.Buffer
	log := logrus.New()
	log.Out = &out
	log.WithField("password", s).WithField("nested", nested()).Info(s)
	log.Formatter = &logrus.JSONFormatter{}
	log.WithField("password", s).WithField("nested", nested()).Info(s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "password", s, "nested", nested())
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "password", s, "nested", nested())
	err := fmt.Errorf("login with %v: %w", s, errors.New("refused"))
	out.WriteString(err.Error())
	if strings.Contains(out.String(), planted) {
		t.Errorf("shown: %s", out.String())
	}
}

func TestValue(t *testing.T) {
	var zero secret.String
	if !zero.IsZero() || zero.Reveal() != "" || !secret.New("").IsZero() || zero.String() != secret.Redacted {
		t.Error("the zero value is not the empty secret")
	}
	s := secret.New(planted)
	if s.IsZero() || s.Reveal() != planted {
		t.Error("Reveal does not give back what New took")
	}
	if !s.Equal(planted) || s.Equal(planted+" ") || s.Equal("") || !zero.Equal("") || zero.Equal("x") {
		t.Error("Equal is wrong")
	}
}

func TestOmittedFromYAMLWhenEmpty(t *testing.T) {
	out, err := yaml.Marshal(struct {
		S secret.String `yaml:"s,omitempty"`
	}{})
	if err != nil || strings.Contains(string(out), "s:") {
		t.Errorf("%s, %v", out, err)
	}
}

func ExampleNew() {
	password := secret.New("correct horse")
	fmt.Println(password, password.Equal("correct horse"))
	// Output: <secret> true
}
