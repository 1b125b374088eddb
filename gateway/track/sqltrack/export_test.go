package sqltrack

import "strconv"

// LimitPages bounds the database, as a disk that is full does.
func (s *Store) LimitPages(n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.db.write.Exec("PRAGMA max_page_count=" + strconv.Itoa(n)); err != nil {
		panic(err)
	}
}
