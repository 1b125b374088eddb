package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/strictjson"
)

func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]error{
		`{}`:                              nil,
		` {"a": 1, "b": {"a": [1, {}]}} `: nil,
		`null`:                            nil,
		`"x"`:                             nil,
		`{"a":1,"a":2}`:                   strictjson.ErrTwice,
		`{"a":1,"A":2}`:                   strictjson.ErrTwice,
		`{"a":1,"\u0061":2}`:              strictjson.ErrTwice,
		`{"k":1,"\u212a":2}`:              strictjson.ErrTwice, // the Kelvin sign, which encoding/json takes for a k
		`{"s":1,"\u017f":2}`:              strictjson.ErrTwice, // the long s
		`[{"x":{"b":1,"B":2}}]`:           strictjson.ErrTwice,
		`{"a":1} {"b":2}`:                 strictjson.ErrNotJSON,
		`{"a":1}x`:                        strictjson.ErrNotJSON,
		`{"a":1`:                          strictjson.ErrNotJSON,
		`{a:1}`:                           strictjson.ErrNotJSON,
		`{"a" 1}`:                         strictjson.ErrNotJSON,
		`{"a":1,}`:                        strictjson.ErrNotJSON,
		`[1,]`:                            strictjson.ErrNotJSON,
		`]`:                               strictjson.ErrNotJSON,
		``:                                strictjson.ErrNotJSON,
		"{\"a\":\"\xff\"}":                strictjson.ErrNotJSON,
		"\ufeff{}":                        strictjson.ErrNotJSON,
		deep(strictjson.MaxDepth):         nil,
		deep(strictjson.MaxDepth + 2):     strictjson.ErrTooDeep,
		deep(100000):                      strictjson.ErrTooDeep,
	} {
		if err := strictjson.Check([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
}

func TestObject(t *testing.T) {
	got, err := strictjson.Object([]byte(`{"aud":"x","Nbf":"5"}`))
	if err != nil || string(got["aud"]) != `"x"` || got["nbf"] != nil {
		t.Errorf("%s, %v", got, err)
	}
	for _, text := range []string{`null`, `[]`, `"x"`, `1`} {
		if _, err := strictjson.Object([]byte(text)); !errors.Is(err, strictjson.ErrNotObject) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := strictjson.Object([]byte(`{"a":1,"a":1}`)); !errors.Is(err, strictjson.ErrTwice) {
		t.Error(err)
	}
}

// What passes is JSON for encoding/json too, and no name of it can stand for two fields of a struct.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x",null,true,{"b":{}}]}`, `{"a":1,"A":2}`, `{"k":1,"\u212a":2}`, `[[[[]]]]`, `{"a":1}{`, "\xff", `1e999`, `"\ud800"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strictjson.Check(text) != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("not JSON: %q", text)
		}
		m, err := strictjson.Object(text)
		if err != nil {
			return
		}
		for a := range m {
			for b := range m {
				if a != b && strings.EqualFold(a, b) {
					t.Fatalf("%q and %q", a, b)
				}
			}
		}
	})
}

func Example() {
	fmt.Println(strictjson.Check([]byte(`{"sub": "alice", "Sub": "mallory"}`)))
	// Output: strictjson: a name stands twice in one object
}
