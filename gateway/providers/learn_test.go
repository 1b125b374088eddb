package providers_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/providers"
)

// A provider is asked at the start and then rarely, sooner where it was away, and not soon where it refused the login.
func TestLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.answers(connectors.ErrUnavailable)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var told [][]string
		done := make(chan struct{})
		begin := time.Now()
		go func() {
			defer close(done)
			providers.Learn(ctx, f, func(d []string) { told = append(told, d) })
		}()
		synctest.Wait()
		pass := func(d time.Duration) {
			t.Helper()
			timer := time.NewTimer(d)
			<-timer.C
			synctest.Wait()
		}
		pass(2 * time.Hour) // at 0, 1m, 6m, 21m, 1h21m
		f.answers(nil, "firma.de-mail.de")
		pass(time.Hour) // 2h21m
		f.answers(connectors.ErrLogin)
		pass(6 * time.Hour)  // 8h21m
		pass(12 * time.Hour) // 14h21m, 20h21m
		var got []time.Duration
		for _, at := range f.times() {
			got = append(got, at.Sub(begin))
		}
		minute, hour := time.Minute, time.Hour
		want := []time.Duration{0, minute, 6 * minute, 21 * minute, 81 * minute, 141 * minute, 8*hour + 21*minute, 14*hour + 21*minute, 20*hour + 21*minute}
		if !slices.Equal(got, want) {
			t.Errorf("asked at %v", got)
		}
		cancel()
		<-done
		if !reflect.DeepEqual(told, [][]string{{"firma.de-mail.de"}}) {
			t.Error(told)
		}
	})
}

// What providers named is there after a restart; a file that is none is not taken for an empty one.
func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "domains.json")
	m, err := providers.OpenMemory(path)
	if err != nil || m.Domains("a") != nil {
		t.Fatal(err)
	}
	for account, domains := range map[string][]string{"a": {"firma.de-mail.de", "firma.example"}, "b": nil} {
		if err := m.Keep(account, domains); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := providers.OpenMemory(path); err != nil || !slices.Equal(again.Domains("a"), []string{"firma.de-mail.de", "firma.example"}) || len(again.Domains("b")) != 0 {
		t.Error(again, err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Keep("a", []string{"firma.de-mail.de", "firma.example"}); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("it was written for nothing", err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	for _, text := range []string{"{", `{"a": ["no domain"]}`, "[]", strings.Repeat(" ", 5<<20)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := providers.OpenMemory(path); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	if err := m.Keep("a", nil); err != nil {
		t.Error(err)
	}
	none, err := providers.OpenMemory(filepath.Join(t.TempDir(), "no", "folder"))
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Keep("a", []string{"x.de"}); err == nil {
		t.Error("it was kept nowhere")
	}
}

// What could not be written is written the next time, though the provider names the same domains again.
func TestMemoryAfterFault(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(folder, "domains.json")
	m, err := providers.OpenMemory(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Keep("a", []string{"x.de"}); err == nil || len(m.Domains("a")) != 1 {
		t.Error(m.Domains("a"), err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Keep("a", []string{"x.de"}); err != nil {
		t.Error(err)
	}
	if again, err := providers.OpenMemory(path); err != nil || len(again.Domains("a")) != 1 {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
}

// FuzzMemory holds that a file either is refused or gives domains that are some.
func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"a": ["firma.de-mail.de", "Firma.example"]}`))
	f.Add([]byte(`{"a": null, "": ["."]}`))
	path := filepath.Join(f.TempDir(), "domains.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := providers.OpenMemory(path)
		if err != nil {
			return
		}
		if _, err := connectors.CheckDomains(m.Domains("a")); err != nil {
			t.Error(err)
		}
	})
}
