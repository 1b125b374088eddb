package sqlrescue_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/internal/sqlrescue"
)

// A database that SQLite refuses to open is read row by row. There is none here.
func Example() {
	f, err := sqlrescue.Open("/no/such/folder/queue.db", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	bad, err := f.Walk(2, sqlrescue.Table, func(r sqlrescue.Row) error {
		fmt.Println(r.Number, r.Values)
		return nil
	})
	fmt.Println(f.Pages(), "pages,", bad, "unreadable:", err)
	// Output: 0 pages, 1 unreadable: <nil>
}
