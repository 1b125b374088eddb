//go:build !unix

package folder

// apart is an error where the folder is to be apart from a disk, which nothing here can tell.
func (f *Folder) apart() error {
	if f.o.Apart == "" {
		return nil
	}
	return errSame
}

// SameDisk says yes, since nothing here can tell.
func SameDisk(string, string) (bool, error) { return true, nil }
