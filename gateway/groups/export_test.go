package groups

// Remembered counts what is remembered, anew.
func Remembered(d *Directory) (marks, members int) {
	for _, m := range d.members {
		marks += len(m.in)
	}
	if marks != d.marks {
		return -1, -1
	}
	return marks, len(d.members)
}
