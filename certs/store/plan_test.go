package store

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// No look-up reads a whole table: each begins at an index.
func TestPlans(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, query := range []string{
		columns + `WHERE c.id = ?`, columns + namedQuery, columns + issuedQuery, columns + subjectKeyQuery,
		columns + saidCondition, columns + `WHERE c.number > ? ORDER BY c.number LIMIT 200`,
	} {
		rows, err := s.db.read.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var a, b, c int
			var step string
			if err := rows.Scan(&a, &b, &c, &step); err != nil {
				t.Fatal(err)
			}
			if plan = append(plan, step); strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "certificate_said") {
				t.Errorf("%s\n\tplan %q", query, plan)
			}
		}
		rows.Close()
	}
}
