package admin

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestCaller(t *testing.T) {
	other := os.Getuid() + 54321
	for _, c := range []struct {
		uid, login any
		want       string
	}{
		{os.Getuid(), other, who(os.Getuid()) + ", logged in as uid " + strconv.Itoa(other)},
		{os.Getuid(), os.Getuid(), who(os.Getuid())},
		{os.Getuid(), -1, who(os.Getuid())},
		{other, nil, "uid " + strconv.Itoa(other)},
		{nil, nil, "unknown"},
	} {
		ctx := context.WithValue(context.WithValue(t.Context(), userKey{}, c.uid), loginKey{}, c.login)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := caller(r); got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.uid, c.login, got, c.want)
		}
	}
	if name := who(0); !strings.Contains(name, "(uid 0)") {
		t.Errorf("root is %q", name)
	}
}
